import { lazy, Suspense, useEffect, useState } from 'react';
import { Button, Divider, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useForget, useMay, type Repository } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { restorableUntil } from './restorable-until.ts';

const Suspend = lazy(async () => ({ default: (await import('./life-dialogs.tsx')).Suspend }));
const Delete = lazy(async () => ({ default: (await import('./life-dialogs.tsx')).Delete }));

/** Stops a repository, sets it going again, deletes it. */
export function Life({ repository, onDeleted }: { repository: Repository; onDeleted: () => void }) {
  const [asking, setAsking] = useState<'suspend' | 'delete'>();
  const close = () => setAsking(undefined);
  return (
    <Section title="Suspend or delete">
      <Stack gap="md">
        <Group justify="space-between">
          <Text size="sm" maw={600}>
            {repository.status === 'suspended'
              ? 'It is suspended: nobody signs in, and every token and secret is refused.'
              : 'Suspending stops everything about it until you resume it.'}
          </Text>
          {repository.status === 'suspended' ? (
            <Resume slug={repository.slug} />
          ) : (
            <Button variant="default" onClick={() => setAsking('suspend')}>
              Suspend
            </Button>
          )}
        </Group>
        <Divider />
        <Group justify="space-between">
          <Text size="sm" maw={600}>
            A deleted repository is kept for 30 days, in which it can be restored.
          </Text>
          <Button variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking('delete')}>
            Delete
          </Button>
        </Group>
      </Stack>
      <Suspense>
        {asking === 'suspend' && <Suspend repository={repository} onClose={close} />}
        {asking === 'delete' && <Delete repository={repository} onClose={close} onDeleted={onDeleted} />}
      </Suspense>
    </Section>
  );
}

function Resume({ slug }: { slug: string }) {
  const api = useApi();
  const forget = useForget(slug);
  const change = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/resume', { params: { path: { slug } }, headers }));
    await forget();
  });
  return (
    <Stack align="flex-end" gap="xs">
      <Button loading={change.pending} onClick={() => void change.run()}>
        Resume
      </Button>
      <ProblemAlert problem={change.problem} />
    </Stack>
  );
}

/** What is shown in the place of a repository that was deleted: until when it can be restored, and the way to it. */
export function Deleted({ repository: { slug, name, deletedAt }, onRestored }: { repository: Repository; onRestored: () => void }) {
  const api = useApi();
  const forget = useForget(slug);
  const queries = useQueryClient();
  const mayChange = useMay('repositories:write');
  // Here, where nobody shows it any more: whoever comes back to it is told that it is gone.
  useEffect(() => {
    queries.removeQueries({ queryKey: kept.repository(slug) });
    void queries.invalidateQueries({ queryKey: kept.repositories });
  }, [queries, slug]);
  const change = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/restore', { params: { path: { slug } }, headers }));
    await forget();
    onRestored();
  });
  return (
    <Section title="It is deleted">
      <Stack align="flex-start">
        <Text size="sm" role="status">
          Nothing of {name} is accepted any more. Until {deletedAt !== null && <When at={restorableUntil(deletedAt)} />} it can be restored
          as it was.
        </Text>
        <ProblemAlert problem={change.problem} />
        {mayChange && (
          <Button variant="default" loading={change.pending} onClick={() => void change.run()}>
            Restore it
          </Button>
        )}
      </Stack>
    </Section>
  );
}
