import { Button, EmptyState, Paper } from '@mantine/core';
import { ArchiveIcon } from '@radix-ui/react-icons';
import { Link } from 'wouter';

/** Stands on a page that is about a repository while there is none. */
export function NoRepository() {
  return (
    <Paper withBorder p="xl">
      <EmptyState
        icon={<ArchiveIcon />}
        title="There is no repository yet"
        description="Client IDs, secrets and webhooks come with one. Create it first."
      >
        <EmptyState.Actions>
          <Button component={Link} href="/new-repository">
            Create a repository
          </Button>
        </EmptyState.Actions>
      </EmptyState>
    </Paper>
  );
}
