import { useState } from 'react';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { useAnswer } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { List } from '../controls/list.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { Proven } from '../proof/proven.tsx';
import type { Account } from './account.ts';

/** Where somebody is signed in, and the ways to end it. */
export function AccountSessions({ account, onClose }: { account: Account; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const key = [...account.key, 'sessions'];
  const sessions = useAnswer(key, account.sessions);
  const [cutoffId, setCutoffId] = useState<string>();
  const end = useChange(async (headers, sessionId: string) => {
    await answerOf(account.endSession(api, headers, sessionId));
    await queries.invalidateQueries({ queryKey: key });
  });
  const everywhere = useChange(async (headers) => {
    const { cutoff } = await answerOf(account.signOut(api, headers));
    await queries.invalidateQueries({ queryKey: key });
    setCutoffId(cutoff.id);
  });
  if (cutoffId !== undefined)
    return <Proven slug={account.slug} title={`${account.name} is signed out`} cutoffId={cutoffId} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title={`Where ${account.name} is signed in`} centered size="lg">
      <Stack>
        <List
          label="Sessions"
          {...sessions}
          items={sessions.data?.items}
          id={({ id }) => id}
          empty={<Text size="sm">Nowhere at the moment. Apps may still hold tokens: “Sign out everywhere” ends those too.</Text>}
          renderRow={({ id, userAgent, address, signedInAt }) => (
            <Group justify="space-between" gap="xs" wrap="nowrap">
              <Stack gap={0} miw={0}>
                <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                  {userAgent ?? 'An unknown browser'}
                </Text>
                <Text size="sm" c="dimmed">
                  since <When at={signedInAt} /> {address !== null && `from ${address}`}
                </Text>
              </Stack>
              <Button size="xs" variant="default" style={{ flex: 'none' }} loading={end.pending} onClick={() => void end.run(id)}>
                End
              </Button>
            </Group>
          )}
        />
        <ProblemAlert problem={end.problem ?? everywhere.problem} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          {sessions.data && (
            <Button color="red.9" loading={everywhere.pending} onClick={() => void everywhere.run()}>
              Sign out everywhere
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
