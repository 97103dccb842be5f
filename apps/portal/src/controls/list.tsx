import type { ReactNode } from 'react';
import { Button, Group, Paper, Skeleton, Stack } from '@mantine/core';
import { toProblem } from '../api/problem.ts';
import { ProblemAlert } from './problem-alert.tsx';

export interface ListProps<T> {
  label: string;
  items: T[] | undefined;
  error: unknown;
  refetch: () => unknown;
  hasNextPage?: boolean;
  isFetchingNextPage?: boolean;
  fetchNextPage?: () => unknown;
  /** What stands where there is nothing: what to do first. */
  empty: ReactNode;
  renderRow: (item: T) => ReactNode;
  id: (item: T) => string | number;
}

/** A list that is being read, could not be read, is empty, or is there. */
export function List<T>({
  label,
  items,
  error,
  refetch,
  hasNextPage,
  isFetchingNextPage = false,
  fetchNextPage,
  empty,
  renderRow,
  id,
}: ListProps<T>) {
  return (
    <>
      {error !== null && error !== undefined && <ProblemAlert problem={toProblem(error)} retry={() => void refetch()} />}
      {!items && !error && <Skeleton height={64} role="status" aria-label={`Loading: ${label}`} />}
      {items?.length === 0 && empty}
      {items !== undefined && items.length > 0 && (
        <Stack component="ul" gap="xs" m={0} p={0} style={{ listStyle: 'none' }} aria-label={label}>
          {items.map((item) => (
            <Paper key={id(item)} component="li" withBorder px="md" py="sm">
              {renderRow(item)}
            </Paper>
          ))}
        </Stack>
      )}
      {hasNextPage && (
        <Group>
          <Button mt="sm" size="xs" variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage?.()}>
            Show more
          </Button>
        </Group>
      )}
    </>
  );
}
