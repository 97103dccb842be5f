import { useState } from 'react';
import { Button, Group, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import { DownloadIcon } from '@radix-ui/react-icons';
import { answerOf, useApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { usePages } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { Page } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { Records, type Column } from '../controls/records.tsx';
import { RepositoryChoice } from '../controls/repository-choice.tsx';
import { saveFile } from '../controls/save-file.ts';
import { When } from '../controls/when.tsx';

interface Filter {
  action: string;
  actor: string;
  repository: string | null;
  from: string;
  to: string;
}

const everything: Filter = { action: '', actor: '', repository: null, from: '', to: '' };

/** What is named of a filter, as the API takes it. A day begins at midnight where the reader is. */
function queryOf({ action, actor, repository, from, to }: Filter) {
  // A day without a time would begin at midnight UTC.
  const moment = (day: string) => (day === '' ? undefined : new Date(`${day}T00:00`).toISOString());
  const named = { action, actor, repository, from: moment(from), to: moment(to) };
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined && value !== null && value !== ''));
}

interface Event {
  at: string;
  action: string;
  actor: Party;
  target: Party;
  repository: string | null;
  address: string | null;
  details: Record<string, unknown>;
}

interface Party {
  kind: string;
  id: string | null;
  /** What it is called now. */
  name: string | null;
}

const columns: Column<Event>[] = [
  { title: 'When', cell: ({ at }) => <When at={at} exactly /> },
  {
    title: 'Action',
    width: '26%',
    cell: ({ action, details }) => (
      <>
        <Text size="sm" fw={600}>
          {action}
        </Text>
        {Object.entries(details).map(([name, value]) => (
          <Text key={name} size="xs" style={{ overflowWrap: 'anywhere' }}>
            {name}: {typeof value === 'string' ? value : JSON.stringify(value)}
          </Text>
        ))}
      </>
    ),
  },
  { title: 'Who', width: '23%', cell: ({ actor }) => <Named party={actor} /> },
  { title: 'To what', width: '23%', cell: ({ target }) => <Named party={target} /> },
  { title: 'Repository', cell: ({ repository }) => repository ?? 'the tenant' },
  { title: 'From', cell: ({ address }) => address ?? '–', exact: true },
];

function Named({ party: { kind, id, name } }: { party: Party }) {
  return (
    <>
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {name ?? kind}
      </Text>
      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
        {name !== null && kind} {id}
      </Text>
    </>
  );
}

function DayInput({ label, day, onDay }: { label: string; day: string; onDay: (day: string) => void }) {
  return <TextInput label={label} type="date" max="9999-12-31" value={day} onChange={(event) => onDay(event.currentTarget.value)} />;
}

/** Who did what, when and from where. */
export function AuditPage() {
  const api = useApi();
  const [typed, setTyped] = useState(everything);
  const [filter, setFilter] = useState(everything);
  const events = usePages(['audit', filter], (client, page, signal) =>
    client.GET('/v1/audit', { params: { query: { ...page, ...queryOf(filter) } }, signal }),
  );
  const save = useChange(async () => {
    const text = await answerOf(
      api.GET('/v1/audit', {
        params: { query: queryOf(filter) },
        headers: { accept: 'application/x-ndjson' },
        parseAs: 'blob',
      }) as Promise<{ data?: Blob; error?: unknown; response: Response }>,
    );
    saveFile('audit.ndjson', text);
  });
  const change = (part: Partial<Filter>) => setTyped({ ...typed, ...part });
  return (
    <Page
      title="Audit trail"
      beside={
        <Button variant="default" leftSection={<DownloadIcon />} loading={save.pending} onClick={() => void save.run()}>
          Export as NDJSON
        </Button>
      }
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setFilter(typed);
        }}
      >
        <Stack>
          <SimpleGrid cols={{ base: 1, xs: 2, md: 3 }}>
            <TextInput
              label="Action"
              placeholder="secret.* or secret.regenerated"
              value={typed.action}
              onChange={(event) => change({ action: event.currentTarget.value })}
              autoCapitalize="none"
            />
            <TextInput
              label="Who"
              placeholder="A member's id or a client ID"
              value={typed.actor}
              onChange={(event) => change({ actor: event.currentTarget.value })}
              autoCapitalize="none"
            />
            <RepositoryChoice slug={typed.repository} onChoose={(repository) => change({ repository })} none="All repositories" />
            <DayInput label="From" day={typed.from} onDay={(from) => change({ from })} />
            <DayInput label="Before" day={typed.to} onDay={(to) => change({ to })} />
          </SimpleGrid>
          <Group>
            <Button type="submit" size="xs" loading={events.isFetching && !events.isFetchingNextPage}>
              Show
            </Button>
            <Button
              size="xs"
              variant="default"
              onClick={() => {
                setTyped(everything);
                setFilter(everything);
              }}
            >
              Everything
            </Button>
          </Group>
        </Stack>
      </form>
      <ProblemAlert problem={save.problem} />
      {events.error && <ProblemAlert problem={toProblem(events.error)} retry={() => void events.refetch()} />}
      {events.items?.length === 0 && <Text>Nothing matches. Take away a part of the filter.</Text>}
      {events.items && events.items.length > 0 && <Records label="Events" columns={columns} records={events.items} id={({ id }) => id} />}
      {events.hasNextPage && (
        <Group>
          <Button variant="default" size="xs" loading={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            Show more
          </Button>
        </Group>
      )}
    </Page>
  );
}
