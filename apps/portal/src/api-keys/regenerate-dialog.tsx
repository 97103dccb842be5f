import { useState } from 'react';
import { Button, Group, List, Modal, NativeSelect, Radio, Stack, Text } from '@mantine/core';
import type { Consumer, SecretVersion } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { NewSecret, type ToolSettings } from '../controls/new-secret.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { LiveProof } from '../proof/proof-line.tsx';
import { usersSince } from './consumers.tsx';

/** What regenerating answers. */
export interface Regenerated {
  secret: { value: string };
  cutoff: { id: string; effectiveAt: string };
}

export interface RegenerateDialogProps {
  /** What the credential is called. */
  name: string;
  /** The repository that it belongs to; none for a credential of the tenant. */
  slug?: string;
  /** What is downloaded beside the secret, where that is of use. */
  settings?: ToolSettings;
  /** The secrets that work now. */
  live: Pick<SecretVersion, 'id' | 'hint' | 'lastUsedAt'>[];
  /** Who used them. */
  consumers: Consumer[];
  regenerate: (headers: { 'Idempotency-Key': string }, overlapSeconds: number) => Promise<Regenerated>;
  onClose: () => void;
}

const overlaps = [
  { label: '1 hour', value: '3600' },
  { label: '1 day', value: '86400' },
  { label: '7 days', value: '604800' },
  { label: '30 days', value: '2592000' },
];

/**
 * Asks before it regenerates, saying what will stop; then shows the new secret, which this component's state holds and
 * nothing else, and the proof that the old one is refused. Closing it forgets the value.
 */
export function RegenerateDialog({ name, slug, settings, live, consumers, regenerate, onClose }: RegenerateDialogProps) {
  const [overlapSeconds, setOverlapSeconds] = useState(0);
  const [made, setMade] = useState<Regenerated>();
  const change = useChange(async (headers, seconds: number) => setMade(await regenerate(headers, seconds)));

  if (made) {
    const planned = overlapSeconds > 0;
    return (
      <Modal
        opened
        onClose={onClose}
        title={`The new secret of ${name}`}
        centered
        size="lg"
        closeOnEscape={false}
        closeOnClickOutside={false}
        withCloseButton={false}
      >
        <Stack>
          <NewSecret value={made.secret.value} settings={settings} />
          <Text size="sm" role="status">
            {planned ? 'To be cut off at ' : 'Cut off at '}
            <When at={made.cutoff.effectiveAt} exactly />. {planned ? 'Until then both secrets work; after it' : 'Since then'} no node
            accepts the earlier secret or a token that it got.
          </Text>
          {!planned && <LiveProof slug={slug} cutoffId={made.cutoff.id} />}
          <Group justify="flex-end">
            <Button onClick={onClose}>I have stored it</Button>
          </Group>
        </Stack>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={onClose} title={`Regenerate the secret of ${name}?`} centered size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void change.run(overlapSeconds);
        }}
      >
        <Stack>
          <Consequences live={live} consumers={consumers} later={overlapSeconds > 0} />
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
          <ProblemAlert problem={change.problem} lost="Regenerate once more to get a secret that you can see." />
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

function Consequences({ live, consumers, later }: Pick<RegenerateDialogProps, 'live' | 'consumers'> & { later: boolean }) {
  if (live.length === 0) return <Text size="sm">No secret works at the moment, so nothing stops. You get a new one.</Text>;
  const recent = usersSince(consumers, live, 7);
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
      {recent.length > 0 && (
        <>
          <Text size="sm">In the last 7 days {live.length === 1 ? 'it was' : 'they were'} used by:</Text>
          <List size="sm">
            {recent.slice(0, 5).map((consumer) => (
              <List.Item key={consumer.consumer}>
                <b>{consumer.consumer}</b> from <span className="exact">{consumer.address}</span>, last <When at={consumer.lastUsedAt} />
              </List.Item>
            ))}
            {recent.length > 5 && <List.Item>and {recent.length - 5} more</List.Item>}
          </List>
        </>
      )}
      <Text size="sm">
        Every tool that goes on using {live.length === 1 ? 'it' : 'them'} is refused until you give it the new secret. The client ID stays
        the same.
      </Text>
    </Stack>
  );
}
