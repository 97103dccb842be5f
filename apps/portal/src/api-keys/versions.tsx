import { Badge, Group, Stack, Text } from '@mantine/core';
import type { SecretVersion } from '../api/queries.ts';
import { When } from '../controls/when.tsx';
import { reminderOf } from './dues.ts';

export const isOver = ({ status }: SecretVersion) => status === 'ended' || status === 'expired';

const states: Record<SecretVersion['status'], { words: string; color: string }> = {
  live: { words: 'Works', color: 'key.1' },
  ending: { words: 'Works until its end', color: 'yellow.3' },
  ended: { words: 'Ended', color: 'gray.3' },
  expired: { words: 'Expired', color: 'gray.3' },
};

/** Versions of a secret, without their values. */
export function Versions({ versions, label }: { versions: SecretVersion[]; label: string }) {
  if (versions.length === 0) return null;
  return (
    <Stack component="ul" gap="md" m={0} p={0} w="100%" style={{ listStyle: 'none' }} aria-label={label}>
      {versions.map((version) => (
        <Version key={version.id} version={version} />
      ))}
    </Stack>
  );
}

function Version({ version }: { version: SecretVersion }) {
  const { hint, status, createdAt, lastUsedAt, expiresAt, endedAt } = version;
  const reminder = status === 'live' ? reminderOf(version) : undefined;
  return (
    <Stack component="li" gap={4}>
      <Group gap="sm">
        <Text className="exact">{hint}</Text>
        <Badge color={states[status].color} c="dark.9" tt="none" fw={500}>
          {states[status].words}
        </Badge>
        {reminder !== undefined && (
          <Badge color="yellow.3" c="dark.9" tt="none" fw={500}>
            {reminder}
          </Badge>
        )}
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
