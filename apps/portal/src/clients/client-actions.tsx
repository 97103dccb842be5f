import { lazy, Suspense, useState } from 'react';
import { Button, Group } from '@mantine/core';
import { PlusIcon } from '@radix-ui/react-icons';
import { useMay, type Repository, type RepositoryClient } from '../api/queries.ts';

const ClientDialog = lazy(async () => ({ default: (await import('./client-dialogs.tsx')).ClientDialog }));
const RemoveClient = lazy(async () => ({ default: (await import('./client-dialogs.tsx')).RemoveClient }));

/** The button that adds a client. */
export function AddClient({ repository, kind }: { repository: Repository; kind: 'app' | 'tool' }) {
  const [adding, setAdding] = useState(false);
  if (!useMay('clients:write')) return null;
  return (
    <Group>
      <Button variant="default" size="xs" leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
        Add {kind === 'app' ? 'an app client' : 'a tool client'}
      </Button>
      <Suspense>{adding && <ClientDialog repository={repository} kind={kind} onClose={() => setAdding(false)} />}</Suspense>
    </Group>
  );
}

/** Changes a client or removes it; the two that came with the repository stay. */
export function ClientActions({ repository, client }: { repository: Repository; client: RepositoryClient }) {
  const [doing, setDoing] = useState<'change' | 'remove'>();
  const close = () => setDoing(undefined);
  const stays = [repository.appClient.clientId, repository.toolClient.clientId].includes(client.clientId);
  if (!useMay('clients:write')) return null;
  return (
    <Group gap="xs">
      <Button size="xs" variant="default" onClick={() => setDoing('change')} aria-label={`Change ${client.name}`}>
        Change
      </Button>
      {!stays && (
        <Button
          size="xs"
          variant="outline"
          color="var(--mantine-color-error)"
          onClick={() => setDoing('remove')}
          aria-label={`Remove ${client.name}`}
        >
          Remove
        </Button>
      )}
      <Suspense>
        {doing === 'change' && <ClientDialog repository={repository} kind={client.kind} client={client} onClose={close} />}
        {doing === 'remove' && <RemoveClient slug={repository.slug} client={client} onClose={close} />}
      </Suspense>
    </Group>
  );
}
