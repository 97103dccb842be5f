import { useState } from 'react';
import { Badge, Button, Code, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, usePages } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { Details } from '../controls/details.tsx';
import { List } from '../controls/list.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';

const states = {
  pending: { words: 'Under way', color: 'yellow.3' },
  delivered: { words: 'Delivered', color: 'key.1' },
  failed: { words: 'Failed', color: 'red.2' },
} as const;

type Status = keyof typeof states;

interface Delivery {
  id: string;
  event: string;
  status: Status;
  createdAt: string;
  attempts: number;
  log: { at: string; statusCode: number | null; durationMillis: number; error: string | null }[];
  payload: unknown;
}

/** What was sent to a webhook, attempt by attempt. */
export function Deliveries({ slug, webhookId, mayChange }: { slug: string; webhookId: string; mayChange: boolean }) {
  const [status, setStatus] = useState<Status | 'all'>('all');
  const key = [...kept.repository(slug), 'webhooks', webhookId, 'deliveries', status];
  const deliveries = usePages(
    key,
    (api, page, signal) =>
      api.GET('/v1/repositories/{slug}/webhooks/{webhookId}/deliveries', {
        params: { path: { slug, webhookId }, query: { ...page, ...(status === 'all' ? {} : { status }) } },
        signal,
      }),
    { limit: 20 },
  );
  return (
    <Stack gap="xs">
      <Group gap="xs">
        <SegmentedControl
          size="xs"
          aria-label="Which deliveries"
          value={status}
          onChange={(next) => setStatus(next as Status | 'all')}
          data={[
            { value: 'all', label: 'All' },
            { value: 'delivered', label: 'Delivered' },
            { value: 'pending', label: 'Under way' },
            { value: 'failed', label: 'Failed' },
          ]}
        />
        <Button size="xs" variant="default" loading={deliveries.isFetching} onClick={() => void deliveries.refetch()}>
          Look again
        </Button>
      </Group>
      <List
        label="Deliveries"
        {...deliveries}
        id={({ id }) => id}
        empty={<Text size="sm">Nothing was sent yet. “Send a test” sends an event that says so.</Text>}
        renderRow={(delivery) => (
          <Row delivery={delivery} params={{ path: { slug, webhookId, deliveryId: delivery.id } }} mayChange={mayChange} />
        )}
      />
    </Stack>
  );
}

interface RowProps {
  delivery: Delivery;
  params: { path: { slug: string; webhookId: string; deliveryId: string } };
  mayChange: boolean;
}

function Row({ delivery: { event, status, createdAt, attempts, log, payload }, params, mayChange }: RowProps) {
  const api = useApi();
  const queries = useQueryClient();
  const [open, setOpen] = useState(false);
  const again = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/webhooks/{webhookId}/deliveries/{deliveryId}/redeliver', { params, headers }));
    await queries.invalidateQueries({ queryKey: [...kept.repository(params.path.slug), 'webhooks'] });
  });
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs" className="row">
        <Group gap="xs">
          <Text size="sm" fw={600}>
            {event}
          </Text>
          <Badge color={states[status].color} c="dark.9" tt="none" fw={500}>
            {states[status].words}
          </Badge>
          <Details>
            <When at={createdAt} exactly />
            {attempts === 1 ? 'one attempt' : `${attempts} attempts`}
          </Details>
        </Group>
        <Group gap="xs">
          <Button size="compact-sm" variant="default" onClick={() => setOpen(!open)} aria-expanded={open}>
            {open ? 'Less' : 'More'}
          </Button>
          {mayChange && (
            <Button size="compact-sm" variant="default" loading={again.pending} onClick={() => void again.run()}>
              Send again
            </Button>
          )}
        </Group>
      </Group>
      <ProblemAlert problem={again.problem} />
      {open && (
        <Stack gap={4}>
          {log.map(({ at, statusCode, durationMillis, error }) => (
            <Text key={at} size="sm">
              <When at={at} exactly />: {error ?? `taken with ${statusCode}`} ({durationMillis} ms)
            </Text>
          ))}
          <Code block tabIndex={0} role="region" aria-label="What is sent">
            {JSON.stringify(payload, null, 2)}
          </Code>
        </Stack>
      )}
    </Stack>
  );
}
