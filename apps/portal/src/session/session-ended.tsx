import { useState } from 'react';
import { Affix, Button, Group, Modal, Stack, Text } from '@mantine/core';
import type { SessionEnd } from './session-end.ts';

/** Says that the member's session is over, and mends it without taking the page away from under what was typed. */
export function SessionEnded({ end, onLeave }: { end: SessionEnd; onLeave: () => void }) {
  const [failure, setFailure] = useState<string>();
  const signIn = () => {
    setFailure(undefined);
    end.signIn().catch((error: Error) => setFailure(error.message));
  };
  const again = <Button onClick={signIn}>Sign in again</Button>;
  if (end.state === 'aside') return <Affix position={{ bottom: 20, right: 20 }}>{again}</Affix>;
  return (
    <Modal opened onClose={() => end.putAside()} title="You are no longer signed in" centered>
      <Stack>
        <Text size="sm">
          Your session has ended, here or at another place. Sign in again in a window that opens beside this page: what you typed stays, and
          what you sent is sent then.
        </Text>
        {failure !== undefined && (
          <Text size="sm" role="alert" c="var(--mantine-color-error)">
            The window did not do it: {failure}. Let your browser open windows of this page and try again, or{' '}
            <Button variant="transparent" p={0} h="auto" td="underline" onClick={onLeave}>
              sign in here
            </Button>
            , which leaves the page.
          </Text>
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={() => end.putAside()}>
            Back to the page
          </Button>
          {again}
        </Group>
      </Stack>
    </Modal>
  );
}
