import { Badge, Group } from '@mantine/core';
import type { Repository } from '../api/queries.ts';

/** The stage that a repository serves, and its state when that is not the usual one. */
export function Status({ repository: { environment, status } }: { repository: Pick<Repository, 'environment' | 'status'> }) {
  return (
    <Group gap={6} wrap="nowrap" flex="none">
      <Badge variant="default" tt="none" fw={500}>
        {environment === 'production' ? 'Production' : 'Integration'}
      </Badge>
      {status !== 'active' && (
        <Badge color={status === 'suspended' ? 'yellow.3' : 'gray.3'} c="dark.9" tt="none" fw={500}>
          {status === 'suspended' ? 'Suspended' : 'Deleted'}
        </Badge>
      )}
    </Group>
  );
}
