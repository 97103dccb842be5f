import { lazy, Suspense, useState } from 'react';
import { Box, Group, NativeSelect, Paper, SegmentedControl, SimpleGrid, Skeleton, Stack, Table, Text } from '@mantine/core';
import { toProblem } from '../api/problem.ts';
import { useAnswer } from '../api/queries.ts';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { Records, type Column } from '../controls/records.tsx';
import { RepositoryChoice } from '../controls/repository-choice.tsx';
import { byDay, byGroup, kinds, total, type Counted, type Kind } from './counts.ts';

// Charts are heavy, and nobody waits for them who came for something else.
const Chart = lazy(async () => ({ default: (await import('./chart.tsx')).Chart }));

const toDay = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', timeZone: 'UTC' });
const nameOfDay = (day: string) => toDay.format(new Date(day));

/** How much the credentials of the tenant were used, by day, credential and reason. */
export function UsagePage() {
  const [days, setDays] = useState('30');
  const [repository, setRepository] = useState<string | null>(null);
  const [kind, setKind] = useState<Kind>('token');
  const query = { days: Number(days), ...(repository === null ? {} : { repository }) };
  const usage = useAnswer(['usage', query], (api, signal) => api.GET('/v1/usage', { params: { query }, signal }));
  const items = usage.data?.items ?? [];
  return (
    <Page title="Usage">
      <Group align="flex-end">
        <RepositoryChoice slug={repository} onChoose={setRepository} none="All repositories" />
        <SegmentedControl
          aria-label="How far back"
          value={days}
          onChange={setDays}
          data={[
            { value: '7', label: '7 days' },
            { value: '30', label: '30 days' },
            { value: '90', label: '90 days' },
          ]}
        />
      </Group>
      {usage.error && <ProblemAlert problem={toProblem(usage.error)} retry={() => void usage.refetch()} />}
      {!usage.data && !usage.error && <Skeleton height={240} role="status" aria-label="Counting…" />}
      {usage.data && (
        <>
          <SimpleGrid cols={{ base: 2, sm: 3 }} spacing="sm">
            {Object.entries(kinds).map(([each, { name, about }]) => (
              <Paper key={each} withBorder p="md">
                <Text size="sm">{name}</Text>
                <Text size="xl" fw={700}>
                  {total(items, each as Kind).toLocaleString()}
                </Text>
                <Text size="xs" c="dimmed">
                  {about}
                </Text>
              </Paper>
            ))}
          </SimpleGrid>
          <Section title="By day" about="Days are in UTC.">
            <Stack>
              <NativeSelect
                label="What is counted"
                maw={260}
                value={kind}
                onChange={(event) => setKind(event.currentTarget.value as Kind)}
                data={Object.entries(kinds).map(([value, { name }]) => ({ value, label: name }))}
              />
              <Days days={byDay(items, kind, usage.data.from, usage.data.to)} name={kinds[kind].name} />
            </Stack>
          </Section>
          <Groups
            title={kind === 'refusal' ? 'By reason' : 'By credential'}
            groups={byGroup(items, kind, kind === 'refusal' ? 'reason' : 'credentialId')}
          />
        </>
      )}
    </Page>
  );
}

function Days({ days, name }: { days: { day: string; count: number }[]; name: string }) {
  const most = Math.max(...days.map(({ count }) => count));
  if (most === 0) {
    return (
      <Text size="sm">
        Nothing of this kind in these days. Get a token with the configuration that a repository's page shows, and look again.
      </Text>
    );
  }
  const peak = days.reduce((a, b) => (b.count > a.count ? b : a));
  return (
    <Group align="stretch" gap="lg">
      <Box
        role="img"
        aria-label={`${name} by day: most on ${nameOfDay(peak.day)}, ${peak.count.toLocaleString()}`}
        style={{ flex: '3 1 300px', minWidth: 0 }}
      >
        <Suspense fallback={<Skeleton height={260} />}>
          <Chart days={days.toReversed()} name={name} nameOfDay={nameOfDay} />
        </Suspense>
      </Box>
      <Box
        tabIndex={0}
        role="region"
        aria-label={`${name} by day, as a table`}
        mah={260}
        style={{ flex: '1 1 200px', minWidth: 0, overflowY: 'auto' }}
      >
        <Table fz="sm" stickyHeader>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Day</Table.Th>
              <Table.Th ta="right">{name}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {days.map(({ day, count }) => (
              <Table.Tr key={day}>
                <Table.Td>{nameOfDay(day)}</Table.Td>
                <Table.Td ta="right">{count.toLocaleString()}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Box>
    </Group>
  );
}

const columnsOf = (by: 'By reason' | 'By credential'): Column<Counted>[] => [
  {
    title: by === 'By reason' ? 'Reason' : 'Credential',
    cell: ({ id, name }) => (
      <>
        {name}
        <div className={id === null ? undefined : 'exact'}>{id ?? 'people and others'}</div>
      </>
    ),
  },
  { title: 'Repository', cell: ({ repository }) => repository ?? 'the tenant' },
  { title: 'How often', cell: ({ count }) => count.toLocaleString(), count: true },
];

function Groups({ title, groups }: { title: 'By reason' | 'By credential'; groups: Counted[] }) {
  if (groups.length === 0) return null;
  return (
    <Section title={title}>
      <Records
        label={`${title}, as a table`}
        columns={columnsOf(title)}
        records={groups.slice(0, 50)}
        id={({ id, repository }) => `${repository} ${id}`}
      />
    </Section>
  );
}
