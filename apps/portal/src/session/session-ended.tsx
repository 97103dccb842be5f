import { Button, Group, Modal, Text } from '@mantine/core';

/** Says that the member's session is over, without taking the page away from under what was typed. */
export function SessionEnded({ onClose, onSignIn }: { onClose: () => void; onSignIn: () => void }) {
  return (
    <Modal opened onClose={onClose} title="You are no longer signed in" centered>
      <Text size="sm">
        Your session has ended, here or at another place. What you typed stays on this page until you leave it, and signing in leaves it.
      </Text>
      <Group mt="lg" justify="flex-end">
        <Button variant="default" onClick={onClose}>
          Back to the page
        </Button>
        <Button onClick={onSignIn}>Sign in again</Button>
      </Group>
    </Modal>
  );
}
