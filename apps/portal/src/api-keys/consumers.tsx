import { Badge, Box, Table, Text } from '@mantine/core';
import type { Consumer } from '../api/queries.ts';
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

/** Who presented which secret, from where and when; whoever still presents one that has ended comes first. */
export function Consumers({ consumers, name }: { consumers: Consumer[]; name: string }) {
  const rows = consumers.toSorted((a, b) => Number(b.outcome === 'replaced') - Number(a.outcome === 'replaced'));
  return (
    <Box className="wide-table" tabIndex={0} role="region" aria-label={`Who uses ${name}`}>
      <Table verticalSpacing={6} fz="sm" miw={560}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Who</Table.Th>
            <Table.Th>From</Table.Th>
            <Table.Th>Secret</Table.Th>
            <Table.Th>Last</Table.Th>
            <Table.Th ta="right">Uses</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map(({ consumer, address, secretId, secretHint, outcome, uses, lastUsedAt }) => (
            <Table.Tr key={`${consumer} ${address} ${secretId} ${outcome}`}>
              <Table.Td maw={220}>
                <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                  {consumer}
                </Text>
                {outcome === 'replaced' && (
                  <Badge color="red.2" c="dark.9" tt="none" fw={500}>
                    Still on an ended secret
                  </Badge>
                )}
              </Table.Td>
              <Table.Td className="exact">{address}</Table.Td>
              <Table.Td className="exact">{secretHint}</Table.Td>
              <Table.Td>
                <When at={lastUsedAt} />
              </Table.Td>
              <Table.Td ta="right">{uses.toLocaleString()}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Box>
  );
}
