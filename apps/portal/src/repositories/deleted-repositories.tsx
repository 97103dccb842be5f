import { Button, Group, Stack, Text, Title } from '@mantine/core';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useForget, useMay, usePages, type Repository } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { Details } from '../controls/details.tsx';
import { List } from '../controls/list.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { restorableUntil } from './restorable-until.ts';

/** Repositories that were deleted and can be restored; nothing where there are none. */
export function DeletedRepositories() {
  const deleted = usePages([...kept.repositories, 'deleted'], (api, page, signal) =>
    api.GET('/v1/repositories', { params: { query: { ...page, deleted: 'true' } }, signal }),
  );
  if (!deleted.items || deleted.items.length === 0) return null;
  return (
    <Stack gap="xs" mt="md">
      <Title order={2} size="h5">
        Deleted
      </Title>
      <List
        label="Deleted repositories"
        {...deleted}
        id={({ id }) => id}
        empty={null}
        renderRow={(repository) => <Row repository={repository} />}
      />
    </Stack>
  );
}

function Row({ repository: { slug, name, deletedAt } }: { repository: Repository }) {
  const api = useApi();
  const forget = useForget(slug);
  const mayChange = useMay('repositories:write');
  const restore = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/restore', { params: { path: { slug } }, headers }));
    await forget();
  });
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs" className="row">
        <Stack gap={0} miw={0}>
          <Text style={{ overflowWrap: 'anywhere' }}>{name}</Text>
          <Details>
            <span className="exact">{slug}</span>
            <>can be restored until {deletedAt !== null && <When at={restorableUntil(deletedAt)} />}</>
          </Details>
        </Stack>
        {mayChange && (
          <Button size="xs" variant="default" loading={restore.pending} onClick={() => void restore.run()} aria-label={`Restore ${name}`}>
            Restore
          </Button>
        )}
      </Group>
      <ProblemAlert problem={restore.problem} />
    </Stack>
  );
}
