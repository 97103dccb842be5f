import { useState } from 'react';
import { Button, Group, List, Modal, NativeSelect, Radio, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi, type Api } from '../api/api.ts';
import { kept, type Repository, type RepositoryClient, type SecretVersion } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { NewSecret } from '../controls/new-secret.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';

export interface RegenerateDialogProps {
  repository: Repository;
  client: RepositoryClient;
  /** The secrets that work now. */
  live: SecretVersion[];
  onClose: () => void;
}

const overlaps = [
  { label: '1 hour', value: '3600' },
  { label: '1 day', value: '86400' },
  { label: '7 days', value: '604800' },
  { label: '30 days', value: '2592000' },
];

const post = (api: Api, headers: Record<string, string>, path: { slug: string; clientId: string }, overlapSeconds: number) =>
  answerOf(
    api.POST('/v1/repositories/{slug}/clients/{clientId}/secrets/regenerate', { params: { path }, body: { overlapSeconds }, headers }),
  );
type Regenerated = Awaited<ReturnType<typeof post>>;

/**
 * Asks before it regenerates, saying what will stop; then shows the new secret, which this component's state holds and
 * nothing else. Closing it forgets the value.
 */
export function RegenerateDialog({ repository, client, live, onClose }: RegenerateDialogProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [overlapSeconds, setOverlapSeconds] = useState(0);
  const [made, setMade] = useState<Regenerated>();
  const { slug } = repository;
  const { clientId } = client;
  const change = useChange(async (headers, seconds: number) => {
    setMade(await post(api, headers, { slug, clientId }, seconds));
    void queries.invalidateQueries({ queryKey: kept.secrets(slug, clientId) });
  });

  if (made) {
    return (
      <Modal
        opened
        onClose={onClose}
        title={`The new secret of ${client.name}`}
        centered
        size="lg"
        closeOnEscape={false}
        closeOnClickOutside={false}
        withCloseButton={false}
      >
        <Stack>
          <NewSecret value={made.secret.value} settings={{ ...repository, clientId }} />
          <Text size="sm" role="status">
            {overlapSeconds === 0 ? 'Cut off at ' : 'To be cut off at '}
            <When at={made.cutoff.effectiveAt} exactly />. {overlapSeconds === 0 ? 'Since then' : 'Until then both secrets work; after it'}{' '}
            no node accepts the earlier secret or a token that it got.
          </Text>
          <Group justify="flex-end">
            <Button onClick={onClose}>I have stored it</Button>
          </Group>
        </Stack>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title={`Regenerate the secret of ${client.name}?`} centered size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void change.run(overlapSeconds);
        }}
      >
        <Stack>
          <Consequences live={live} later={overlapSeconds > 0} />
          <Radio.Group
            label="When the earlier secret stops"
            value={overlapSeconds === 0 ? 'now' : 'later'}
            onChange={(value) => setOverlapSeconds(value === 'now' ? 0 : 86_400)}
          >
            <Stack gap="xs" mt="xs">
              <Radio value="now" label="Now" description="Choose this when somebody else may know it." />
              <Radio value="later" label="Later" description="Both work for a time, so that your tools can change over without a break." />
            </Stack>
          </Radio.Group>
          {overlapSeconds > 0 && (
            <NativeSelect
              label="Both work for"
              data={overlaps}
              value={String(overlapSeconds)}
              onChange={(event) => setOverlapSeconds(Number(event.currentTarget.value))}
              maw={220}
            />
          )}
          <ProblemAlert problem={change.problem}>
            {change.problem?.type === 'idempotency-replayed' && (
              <Text size="sm">Regenerate once more to get a secret that you can see.</Text>
            )}
          </ProblemAlert>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose} data-autofocus>
              Cancel
            </Button>
            <Button type="submit" color={overlapSeconds === 0 ? 'red.9' : undefined} loading={change.pending}>
              {overlapSeconds === 0 ? 'Regenerate and cut off now' : 'Make the new secret'}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Consequences({ live, later }: { live: SecretVersion[]; later: boolean }) {
  if (live.length === 0) return <Text size="sm">No secret works at the moment, so nothing stops. You get a new one.</Text>;
  return (
    <Stack gap="xs">
      <Text size="sm">
        {later ? 'When the time is over, this stops working everywhere:' : 'The moment that you confirm, this stops working everywhere:'}
      </Text>
      <List size="sm">
        {live.map(({ id, hint, lastUsedAt }) => (
          <List.Item key={id}>
            the secret <span className="exact">{hint}</span>,{' '}
            {lastUsedAt === null ? (
              'of which no use is recorded'
            ) : (
              <>
                last used <When at={lastUsedAt} />
              </>
            )}
          </List.Item>
        ))}
        <List.Item>every access token that was got with {live.length === 1 ? 'it' : 'them'}</List.Item>
      </List>
      <Text size="sm">
        Every tool that goes on using {live.length === 1 ? 'it' : 'them'} is refused until you give it the new secret. The client ID stays
        the same.
      </Text>
    </Stack>
  );
}
