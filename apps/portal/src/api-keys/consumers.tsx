import { Badge, Text } from '@mantine/core';
import type { Consumer } from '../api/queries.ts';
import { Records, type Column } from '../controls/records.tsx';
import { When } from '../controls/when.tsx';

const dayMillis = 86_400_000;

/** The latest use of each consumer of the named secrets in the last days, by the name that it declares. */
export function usersSince(consumers: Consumer[], secrets: { id: string }[], days: number): Consumer[] {
  const since = new Date(Date.now() - days * dayMillis).toISOString();
  const seen = new Map<string, Consumer>();
  for (const each of consumers) {
    if (each.lastUsedAt < since || !secrets.some(({ id }) => id === each.secretId)) continue;
    const known = seen.get(each.consumer);
    if (!known || known.lastUsedAt < each.lastUsedAt) seen.set(each.consumer, each);
  }
  return [...seen.values()].toSorted((a, b) => b.lastUsedAt.localeCompare(a.lastUsedAt));
}

const columns: Column<Consumer>[] = [
  {
    title: 'Who',
    cell: ({ consumer, outcome }) => (
      <>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {consumer}
        </Text>
        {outcome === 'replaced' && (
          <Badge color="red.2" c="dark.9" tt="none" fw={500}>
            Still on an ended secret
          </Badge>
        )}
      </>
    ),
  },
  { title: 'From', cell: ({ address }) => address, exact: true },
  { title: 'Secret', cell: ({ secretHint }) => secretHint, exact: true },
  { title: 'Last', cell: ({ lastUsedAt }) => <When at={lastUsedAt} /> },
  { title: 'Uses', cell: ({ uses }) => uses.toLocaleString(), count: true },
];

/** Who presented which secret, from where and when; whoever still presents one that has ended comes first. */
export function Consumers({ consumers, name }: { consumers: Consumer[]; name: string }) {
  const rows = consumers.toSorted((a, b) => Number(b.outcome === 'replaced') - Number(a.outcome === 'replaced'));
  return (
    <Records
      label={`Who uses ${name}`}
      columns={columns}
      records={rows}
      id={({ consumer, address, secretId, outcome }) => `${consumer} ${address} ${secretId} ${outcome}`}
    />
  );
}
