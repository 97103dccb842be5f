import { useState } from 'react';
import { Badge, Button, Group, List as Bullets, NativeSelect, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../../api/api.ts';
import { kept, useAnswer, useForget, useMay, type Repository } from '../../api/queries.ts';
import { useChange } from '../../api/use-change.ts';
import { ConfirmDialog } from '../../controls/confirm-dialog.tsx';
import { List } from '../../controls/list.tsx';
import { Section } from '../../controls/page.tsx';
import { ProblemAlert } from '../../controls/problem-alert.tsx';
import { When } from '../../controls/when.tsx';
import { LiveProof } from '../../proof/proof-line.tsx';

const states = {
  published: { words: 'Published, will sign', color: 'yellow.3' },
  signing: { words: 'Signs', color: 'key.1' },
  retired: { words: 'Retired', color: 'gray.3' },
} as const;

/** The keys that sign a repository's tokens. */
export function Keys({ repository: { slug, signingAlgorithm } }: { repository: Repository }) {
  const api = useApi();
  const queries = useQueryClient();
  const forget = useForget(slug);
  const mayChange = useMay('repositories:write');
  const keys = useAnswer([...kept.repository(slug), 'keys'], (client, signal) =>
    client.GET('/v1/repositories/{slug}/keys', { params: { path: { slug } }, signal }),
  );
  const [asking, setAsking] = useState<'planned' | 'compromised'>();
  const [cutoffId, setCutoffId] = useState<string>();
  const algorithm = useChange(async (headers, next: 'ES256' | 'RS256') => {
    await answerOf(api.PATCH('/v1/repositories/{slug}', { params: { path: { slug } }, body: { signingAlgorithm: next }, headers }));
    await forget();
  });
  const rotate = useChange(async (headers, why: 'planned' | 'compromised') => {
    const body = why === 'compromised' ? { compromised: true } : {};
    const { cutoff } = await answerOf(api.POST('/v1/repositories/{slug}/keys/rotate', { params: { path: { slug } }, body, headers }));
    await queries.invalidateQueries({ queryKey: [...kept.repository(slug), 'keys'] });
    setCutoffId(cutoff?.id);
    setAsking(undefined);
  });
  return (
    <Section
      title="Signing keys"
      about="They sign the tokens, and rotate by themselves. Whoever verifies tokens finds them at the authority."
    >
      <Stack>
        <NativeSelect
          label="Algorithm"
          description="RS256 is for clients that know nothing else. A change counts at once."
          data={['ES256', 'RS256']}
          value={signingAlgorithm}
          disabled={!mayChange || algorithm.pending}
          onChange={(event) => void algorithm.run(event.currentTarget.value as 'ES256' | 'RS256')}
          maw={420}
        />
        <ProblemAlert problem={algorithm.problem} />
        <List
          label="Signing keys"
          {...keys}
          items={keys.data?.items}
          id={({ kid }) => kid}
          empty={null}
          renderRow={({ kid, algorithm: its, status, signsAt, retiredAt }) => (
            <Stack gap={2}>
              <Group gap="xs">
                <Text className="exact">{kid}</Text>
                <Badge variant="default" tt="none" fw={500}>
                  {its}
                </Badge>
                <Badge color={states[status].color} c="dark.9" tt="none" fw={500}>
                  {states[status].words}
                </Badge>
              </Group>
              <Text size="sm" c="dimmed">
                Signs from <When at={signsAt} />
                {retiredAt !== null && (
                  <>
                    {' '}
                    until <When at={retiredAt} />
                  </>
                )}
              </Text>
            </Stack>
          )}
        />
        {mayChange && (
          <Group>
            <Button size="xs" variant="default" onClick={() => setAsking('planned')}>
              Rotate
            </Button>
            <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking('compromised')}>
              A key was compromised
            </Button>
          </Group>
        )}
        {cutoffId !== undefined && <LiveProof slug={slug} cutoffId={cutoffId} />}
      </Stack>
      {asking === 'planned' && (
        <ConfirmDialog
          title="Rotate the signing key?"
          action="Rotate"
          change={{ ...rotate, run: () => rotate.run('planned') }}
          onClose={() => setAsking(undefined)}
        >
          <Text size="sm">
            The new key is published now and signs in an hour. Nobody notices: tokens that the old one signed go on being valid.
          </Text>
        </ConfirmDialog>
      )}
      {asking === 'compromised' && (
        <ConfirmDialog
          title="End every earlier key now?"
          action="End them now"
          change={{ ...rotate, run: () => rotate.run('compromised') }}
          onClose={() => setAsking(undefined)}
        >
          <Text size="sm">From the moment that you confirm, on every node:</Text>
          <Bullets size="sm">
            <Bullets.Item>every access token of this repository is refused, and everybody gets a new one</Bullets.Item>
            <Bullets.Item>what the earlier keys signed, or will sign in somebody's hands, is refused</Bullets.Item>
          </Bullets>
        </ConfirmDialog>
      )}
    </Section>
  );
}
