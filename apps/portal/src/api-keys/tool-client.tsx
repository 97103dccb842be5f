import { useState } from 'react';
import { Badge, Button, Divider, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { UpdateIcon } from '@radix-ui/react-icons';
import { toProblem } from '../api/problem.ts';
import { useSecrets, useUser, type Repository, type RepositoryClient, type SecretVersion } from '../api/queries.ts';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { RegenerateDialog } from './regenerate-dialog.tsx';

/** A tool client with the versions of its secret. */
export function ToolClient({ repository, client }: { repository: Repository; client: RepositoryClient }) {
  const secrets = useSecrets(repository.slug, client.clientId);
  const user = useUser(repository.slug, client.userId);
  const [regenerating, setRegenerating] = useState(false);
  const [showsEnded, setShowsEnded] = useState(false);
  const isOver = ({ status }: SecretVersion) => status === 'ended' || status === 'expired';
  const live = secrets.data?.filter((version) => !isOver(version)) ?? [];
  const over = secrets.data?.filter(isOver) ?? [];
  return (
    <Paper withBorder p={{ base: 'md', sm: 'lg' }} component="section" aria-label={client.name}>
      <Stack gap="md">
        <Title order={2} size="h5">
          {client.name}
        </Title>
        <Facts>
          <Fact name="Client ID">
            <ExactValue value={client.clientId} what={`the client ID of ${client.name}`} />
          </Fact>
          <Fact name="Acts in the name of">
            {user.data ? `${user.data.name} (${user.data.loginName})` : user.isLoading ? '…' : `user ${client.userId}`}
          </Fact>
        </Facts>
        <Divider />
        <Group justify="space-between">
          <Title order={3} size="h6">
            Secret
          </Title>
          <Button
            variant="default"
            leftSection={<UpdateIcon />}
            onClick={() => setRegenerating(true)}
            disabled={!secrets.data}
            aria-label={`Regenerate the secret of ${client.name}`}
          >
            Regenerate
          </Button>
        </Group>
        <ProblemAlert problem={secrets.error ? toProblem(secrets.error) : undefined} retry={() => void secrets.refetch()} />
        {secrets.isPending && <Skeleton height={48} />}
        {secrets.data && live.length === 0 && <Text size="sm">No secret works at the moment. Regenerate makes one.</Text>}
        <Versions versions={live} label={`Secrets of ${client.name} that work`} />
        {over.length > 0 && (
          <Stack gap="md" align="flex-start">
            <Button variant="subtle" size="xs" px={6} ml={-6} onClick={() => setShowsEnded(!showsEnded)} aria-expanded={showsEnded}>
              {showsEnded ? 'Hide' : 'Show'} the {over.length === 1 ? 'one that ended' : `${over.length} that ended`}
            </Button>
            {showsEnded && <Versions versions={over} label={`Secrets of ${client.name} that ended`} />}
          </Stack>
        )}
      </Stack>
      {regenerating && <RegenerateDialog repository={repository} client={client} live={live} onClose={() => setRegenerating(false)} />}
    </Paper>
  );
}

const states: Record<SecretVersion['status'], { words: string; color: string }> = {
  live: { words: 'Works', color: 'key.1' },
  ending: { words: 'Works until its end', color: 'yellow.3' },
  ended: { words: 'Ended', color: 'gray.3' },
  expired: { words: 'Expired', color: 'gray.3' },
};

function Versions({ versions, label }: { versions: SecretVersion[]; label: string }) {
  if (versions.length === 0) return null;
  return (
    <Stack component="ul" gap="md" m={0} p={0} w="100%" style={{ listStyle: 'none' }} aria-label={label}>
      {versions.map((version) => (
        <Version key={version.id} version={version} />
      ))}
    </Stack>
  );
}

function Version({ version: { hint, status, createdAt, lastUsedAt, expiresAt, endedAt } }: { version: SecretVersion }) {
  return (
    <Stack component="li" gap={4}>
      <Group gap="sm">
        <Text className="exact">{hint}</Text>
        <Badge color={states[status].color} c="dark.9" tt="none" fw={500}>
          {states[status].words}
        </Badge>
      </Group>
      <Group gap="0 1rem">
        <Moment name="Created:" at={createdAt} />
        <Moment name="Last used:" at={lastUsedAt} otherwise="no use recorded" />
        {endedAt === null ? <Moment name="Ends:" at={expiresAt} otherwise="never" /> : <Moment name="Ended:" at={endedAt} />}
      </Group>
    </Stack>
  );
}

function Moment({ name, at, otherwise = '' }: { name: string; at: string | null; otherwise?: string }) {
  return (
    <Text size="sm" c="dimmed">
      {name} {at === null ? otherwise : <When at={at} />}
    </Text>
  );
}
