import { useState } from 'react';
import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { useAnswer } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { Proven } from '../proof/proven.tsx';
import type { Account } from './account.ts';

/** The second factors of somebody, to take away when they are lost or in somebody else's hands. */
export function AccountFactors({ account, onClose }: { account: Account; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const key = [...account.key, 'factors'];
  const factors = useAnswer(key, account.factors);
  const [cutoffId, setCutoffId] = useState<string>();
  const take = useChange(async (headers, factor: string | null) => {
    const { cutoff } = await answerOf(account.takeFactor(api, headers, factor));
    await queries.invalidateQueries({ queryKey: key });
    setCutoffId(cutoff.id);
  });
  if (cutoffId !== undefined)
    return (
      <Proven slug={account.slug} title={`${account.name} signs in anew`} cutoffId={cutoffId} onClose={() => setCutoffId(undefined)} />
    );
  const { totp = null, passkeys = [], recoveryCodesLeft = 0 } = factors.data ?? {};
  const rows = [
    ...(totp ? [{ id: 'totp', name: 'Authenticator app', createdAt: totp.createdAt, lastUsedAt: null }] : []),
    ...passkeys.map(({ id, name, createdAt, lastUsedAt }) => ({ id, name: `Passkey: ${name}`, createdAt, lastUsedAt })),
  ];
  return (
    <Modal opened onClose={onClose} title={`Second factors of ${account.name}`} centered size="lg">
      <Stack>
        {factors.error && <ProblemAlert problem={toProblem(factors.error)} retry={() => void factors.refetch()} />}
        {factors.data && rows.length === 0 && <Text size="sm">None. They set one up on the page of their account at the authority.</Text>}
        <Stack component="ul" gap="xs" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Second factors">
          {rows.map(({ id, name, createdAt, lastUsedAt }) => (
            <Group component="li" key={id} justify="space-between" gap="xs">
              <Stack gap={0} miw={0}>
                <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                  {name}
                </Text>
                <Text size="sm" c="dimmed">
                  added <When at={createdAt} />
                  {lastUsedAt !== null && (
                    <>
                      , last used <When at={lastUsedAt} />
                    </>
                  )}
                </Text>
              </Stack>
              <Button
                size="xs"
                variant="default"
                loading={take.pending}
                onClick={() => void take.run(id)}
                aria-label={`Take away: ${name}`}
              >
                Take away
              </Button>
            </Group>
          ))}
        </Stack>
        {rows.length > 0 && (
          <Text size="sm">
            {recoveryCodesLeft} recovery codes are left. Whoever loses a factor signs in with what is left, or sets up another where one is
            forced. Taking one away ends their sessions and tokens, and tells them by mail: make sure that it is they who asked.
          </Text>
        )}
        <ProblemAlert problem={take.problem} />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          {rows.length > 0 && (
            <Button color="red.9" loading={take.pending} onClick={() => void take.run(null)}>
              Take all away
            </Button>
          )}
        </Group>
      </Stack>
    </Modal>
  );
}
