import { Alert, Badge, Group, Skeleton, Stack, Text } from '@mantine/core';
import { CheckCircledIcon, ExclamationTriangleIcon } from '@radix-ui/react-icons';
import { toProblem } from '../api/problem.ts';
import { useAnswer } from '../api/queries.ts';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { Records, type Column } from '../controls/records.tsx';
import { When } from '../controls/when.tsx';

const lookMillis = 15_000;

interface Run {
  beganAt: string;
  repository: string;
  requests: number;
  violations: number;
  acceptedForMillis: number | null;
}

const columns: Column<Run>[] = [
  { title: 'Began', cell: ({ beganAt }) => <When at={beganAt} exactly /> },
  { title: 'Whose', cell: ({ repository }) => repository },
  {
    title: 'Outcome',
    cell: ({ violations, acceptedForMillis }) => (
      <Badge color={violations === 0 ? 'key.1' : 'red.2'} c="dark.9" tt="none" fw={500}>
        {violations === 0 ? 'All refused' : `For ${acceptedForMillis} ms`}
      </Badge>
    ),
  },
  { title: 'Presented after the answer', cell: ({ requests }) => requests.toLocaleString(), count: true },
  { title: 'Accepted', cell: ({ violations }) => violations.toLocaleString(), count: true },
];

/** What the canary sees: whether anything was accepted after a call that ended it had answered. */
export function CanaryPage() {
  const { data, error, refetch } = useAnswer(['canary'], (api, signal) => api.GET('/v1/canary', { signal }), {
    refetchInterval: lookMillis,
  });
  return (
    <Page title="The proof">
      <Text maw={720}>
        All the time, a canary regenerates a secret of its own, presents the old one and an old token to every node at once, and writes down
        whether any node still took it after the call had answered. None ever may.
      </Text>
      {error && <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />}
      {!data && !error && <Skeleton height={160} role="status" aria-label="Loading what the canary saw…" />}
      {data && (
        <Alert
          variant="outline"
          color={data.violations === 0 ? 'key' : 'red'}
          icon={data.violations === 0 ? <CheckCircledIcon /> : <ExclamationTriangleIcon />}
          title={data.violations === 0 ? 'No violation, since ever' : `${data.violations} violations`}
        >
          <Text size="sm">
            {data.violations === 0
              ? 'Nothing was accepted after it had been cut off.'
              : 'Something was accepted after it had been cut off. Whoever operates this installation is told by an alarm.'}
          </Text>
        </Alert>
      )}
      {data && (
        <Section title="Nodes" about="Processes that accept credentials now.">
          <Stack component="ul" gap="xs" m={0} p={0} style={{ listStyle: 'none' }} aria-label="Nodes">
            {data.nodes.map(({ id, node, kind, seenAt }) => (
              <Group component="li" key={id} justify="space-between" gap="0 0.75rem">
                <Text size="sm">
                  <span className="exact">{node}</span> {node !== kind && `(${kind})`}
                </Text>
                <Text size="sm" c="dimmed">
                  heard of <When at={seenAt} exactly />
                </Text>
              </Group>
            ))}
          </Stack>
        </Section>
      )}
      {data && (
        <Section title="The latest runs">
          {data.runs.length === 0 ? (
            <Text size="sm">The first run is under way. Come back in a minute.</Text>
          ) : (
            <Records label="The latest runs" columns={columns} records={data.runs} id={({ id }) => id} brief />
          )}
        </Section>
      )}
    </Page>
  );
}
