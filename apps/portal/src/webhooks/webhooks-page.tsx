import { lazy, Suspense, useState } from 'react';
import { Badge, Button, Checkbox, EmptyState, Group, MultiSelect, NativeSelect, Paper, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { PlusIcon, RocketIcon } from '@radix-ui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { Redirect, useLocation } from 'wouter';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useMay, usePages, useRepositories } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { Details } from '../controls/details.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { List } from '../controls/list.tsx';
import { NoRepository } from '../controls/no-repository.tsx';
import { Page } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { RepositoryChoice } from '../controls/repository-choice.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';
import { When } from '../controls/when.tsx';
import { eventNames } from './event-names.ts';

const TenantWebhook = lazy(async () => ({ default: (await import('./tenant-webhook.tsx')).TenantWebhook }));
const Deliveries = lazy(async () => ({ default: (await import('./deliveries.tsx')).Deliveries }));

const tenantWide = (
  <Suspense>
    <TenantWebhook />
  </Suspense>
);

export interface Webhook {
  id: string;
  url: string;
  description: string;
  events: string[] | null;
  enabled: boolean;
  disabledBecause: 'asked' | 'failing' | 'gone' | null;
  failingSince: string | null;
  previousSecretEndsAt: string | null;
}

const keyOf = (slug: string) => [...kept.repository(slug), 'webhooks'];

/** Who is told of what happens in a repository. */
export function WebhooksPage({ slug }: { slug: string | undefined }) {
  const [, navigate] = useLocation();
  const list = useRepositories();
  const first = list.items?.[0];
  if (slug === undefined && first) return <Redirect to={`/webhooks/${first.slug}`} replace />;
  return (
    <Page title="Webhooks">
      <Text maw={720}>
        A webhook tells a system of yours at once when a credential, user or client changed, so that a new secret gets where it is needed.
        What is cut off is cut off whether a webhook arrives or not.
      </Text>
      {list.data && !first && <NoRepository />}
      {slug === undefined && !list.isPending && !first && tenantWide}
      {slug !== undefined && (
        <>
          <RepositoryChoice slug={slug} onChoose={(next) => next !== null && navigate(`/webhooks/${next}`)} />
          <WebhooksOf key={slug} slug={slug} />
        </>
      )}
    </Page>
  );
}

function WebhooksOf({ slug }: { slug: string }) {
  const queries = useQueryClient();
  const mayChange = useMay('webhooks:write');
  const webhooks = usePages(keyOf(slug), (api, page, signal) =>
    api.GET('/v1/repositories/{slug}/webhooks', { params: { path: { slug }, query: page }, signal }),
  );
  const [editing, setEditing] = useState<Webhook | 'new'>();
  const [secret, setSecret] = useState<string>();
  const addButton = mayChange && (
    <Button leftSection={<PlusIcon />} onClick={() => setEditing('new')}>
      Add a webhook
    </Button>
  );
  return (
    <Stack>
      <List
        label="Webhooks"
        {...webhooks}
        id={({ id }) => id}
        empty={
          <Paper withBorder p="xl">
            <EmptyState
              icon={<RocketIcon />}
              title="Nobody is told yet"
              description="Add the address of a system that should know when something changes."
            >
              <EmptyState.Actions>{addButton}</EmptyState.Actions>
            </EmptyState>
          </Paper>
        }
        renderRow={(webhook) => (
          <WebhookRow slug={slug} webhook={webhook} mayChange={mayChange} onEdit={() => setEditing(webhook)} onSecret={setSecret} />
        )}
      />
      {webhooks.items && webhooks.items.length > 0 && <Group>{addButton}</Group>}
      {editing && (
        <WebhookDialog
          slug={slug}
          webhook={editing === 'new' ? undefined : editing}
          onClose={() => setEditing(undefined)}
          onSaved={(made) => {
            setEditing(undefined);
            if (made !== undefined) setSecret(made);
            void queries.invalidateQueries({ queryKey: keyOf(slug) });
          }}
        />
      )}
      {secret !== undefined && (
        <ShownOnce title="The signing secret" what="the signing secret" value={secret} onClose={() => setSecret(undefined)}>
          The receiver verifies with it that an event comes from here (Standard Webhooks). If it is lost, rotate it.
        </ShownOnce>
      )}
      {(webhooks.items || webhooks.error) && tenantWide /* Not before: it would be pushed down. */}
    </Stack>
  );
}

interface WebhookRowProps {
  slug: string;
  webhook: Webhook;
  mayChange: boolean;
  onEdit: () => void;
  onSecret: (secret: string) => void;
}

const reasons = { asked: 'Disabled', failing: 'Disabled: it failed for days', gone: 'Disabled: it answered 410 Gone' } as const;

function WebhookRow({ slug, webhook, mayChange, onEdit, onSecret }: WebhookRowProps) {
  const api = useApi();
  const queries = useQueryClient();
  const { id: webhookId, url, description, events, enabled, disabledBecause, failingSince, previousSecretEndsAt } = webhook;
  const params = { path: { slug, webhookId } };
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState<'rotate' | 'remove'>();
  const forget = () => queries.invalidateQueries({ queryKey: keyOf(slug) });
  const test = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/webhooks/{webhookId}/test', { params, headers }));
    setOpen(true);
    await forget();
  });
  const enable = useChange(async (headers) => {
    await answerOf(api.PATCH('/v1/repositories/{slug}/webhooks/{webhookId}', { params, body: { enabled: true }, headers }));
    await forget();
  });
  const remove = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/repositories/{slug}/webhooks/{webhookId}', { params, headers }));
    await forget();
  });
  return (
    <Stack gap="xs">
      <Stack gap={2} miw={0}>
        <Group gap="xs">
          <Text className="exact" fw={600}>
            {url}
          </Text>
          {!enabled && (
            <Badge color="gray.3" c="dark.9" tt="none" fw={500}>
              {reasons[disabledBecause ?? 'asked']}
            </Badge>
          )}
          {enabled && failingSince !== null && (
            <Badge color="yellow.3" c="dark.9" tt="none" fw={500}>
              Failing
            </Badge>
          )}
        </Group>
        {description !== '' && <Text size="sm">{description}</Text>}
        <Details>
          {events === null ? 'Every event' : events.join(', ')}
          {failingSince !== null && (
            <>
              nothing delivered since <When at={failingSince} />
            </>
          )}
          {previousSecretEndsAt !== null && (
            <>
              the earlier signing secret signs until <When at={previousSecretEndsAt} />
            </>
          )}
        </Details>
      </Stack>
      <Group gap="xs">
        <Button size="xs" variant="default" onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? 'Hide the deliveries' : 'Deliveries'}
        </Button>
        {mayChange && (
          <>
            {enabled ? (
              <Button size="xs" variant="default" loading={test.pending} onClick={() => void test.run()}>
                Send a test
              </Button>
            ) : (
              <Button size="xs" loading={enable.pending} onClick={() => void enable.run()}>
                Enable
              </Button>
            )}
            <Button size="xs" variant="default" onClick={onEdit}>
              Change
            </Button>
            <Button size="xs" variant="default" onClick={() => setAsking('rotate')}>
              Rotate the signing secret
            </Button>
            <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking('remove')}>
              Remove
            </Button>
          </>
        )}
      </Group>
      <ProblemAlert problem={test.problem ?? enable.problem} />
      <Suspense>{open && <Deliveries slug={slug} webhookId={webhookId} mayChange={mayChange && enabled} />}</Suspense>
      {asking === 'rotate' && (
        <RotateDialog
          slug={slug}
          webhookId={webhookId}
          onClose={() => setAsking(undefined)}
          onRotated={(made) => {
            setAsking(undefined);
            onSecret(made);
            void forget();
          }}
        />
      )}
      {asking === 'remove' && (
        <ConfirmDialog title="Remove the webhook?" action="Remove it" change={remove} onClose={() => setAsking(undefined)}>
          <Text size="sm">
            Nothing is sent to <span className="exact">{url}</span> any more, also not what is still being retried.
          </Text>
        </ConfirmDialog>
      )}
    </Stack>
  );
}

function RotateDialog({
  slug,
  webhookId,
  onClose,
  onRotated,
}: {
  slug: string;
  webhookId: string;
  onClose: () => void;
  onRotated: (secret: string) => void;
}) {
  const api = useApi();
  const [overlap, setOverlap] = useState('86400');
  const rotate = useChange(async (headers, overlapSeconds: number) => {
    const params = { path: { slug, webhookId } };
    const body = { overlapSeconds };
    const { signingSecret } = await answerOf(api.POST('/v1/repositories/{slug}/webhooks/{webhookId}/rotate', { params, body, headers }));
    onRotated(signingSecret);
  });
  return (
    <ConfirmDialog
      title="Rotate the signing secret?"
      action="Rotate it"
      change={{ ...rotate, run: () => rotate.run(Number(overlap)) }}
      lost="Rotate it once more to get one that you can see."
      onClose={onClose}
    >
      <NativeSelect
        label="The earlier one signs beside it for"
        data={[
          { value: '86400', label: 'a day' },
          { value: '604800', label: '7 days' },
          { value: '0', label: 'no time: a receiver that does not know the new one refuses every event' },
        ]}
        value={overlap}
        onChange={(event) => setOverlap(event.currentTarget.value)}
      />
    </ConfirmDialog>
  );
}

interface Wish extends Record<string, unknown> {
  url: string;
  description: string;
  all: boolean;
  events: string[];
}

interface WebhookDialogProps {
  slug: string;
  webhook: Webhook | undefined;
  onClose: () => void;
  /** @param signingSecret of a new one. */
  onSaved: (signingSecret?: string) => void;
}

function WebhookDialog({ slug, webhook, onClose, onSaved }: WebhookDialogProps) {
  const api = useApi();
  const form = useForm<Wish>({
    initialValues: {
      url: webhook?.url ?? '',
      description: webhook?.description ?? '',
      all: !webhook?.events,
      events: webhook?.events ?? [],
    },
  });
  const change = useChange(async (headers, { url, description, all, events }: Wish) => {
    const body = { url, description, events: all ? null : (events as typeof eventNames) };
    if (webhook) {
      const params = { path: { slug, webhookId: webhook.id } };
      await answerOf(api.PATCH('/v1/repositories/{slug}/webhooks/{webhookId}', { params, body, headers }));
      onSaved();
    } else {
      const made = await answerOf(api.POST('/v1/repositories/{slug}/webhooks', { params: { path: { slug } }, body, headers }));
      onSaved(made.signingSecret);
    }
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title={webhook ? 'Change the webhook' : 'Add a webhook'}
      wide
      action={webhook ? 'Save' : 'Add it'}
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['url', 'description', 'events']}
      lost="It was added. Close this, and rotate its signing secret to get one that you can see."
      onClose={onClose}
    >
      <TextInput
        label="Address"
        description="Where events are sent by POST."
        required
        type="url"
        placeholder="https://example.com/hook"
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('url')}
      />
      <TextInput label="Description" autoComplete="off" {...form.getInputProps('description')} />
      <Checkbox label="Every event, also those that are added later" {...form.getInputProps('all', { type: 'checkbox' })} />
      {!form.values.all && (
        <MultiSelect label="Events" data={eventNames} searchable hidePickedOptions clearable {...form.getInputProps('events')} />
      )}
    </FormDialog>
  );
}
