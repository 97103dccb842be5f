import { useState } from 'react';
import { Alert, Button, EmptyState, Group, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { ExclamationTriangleIcon, LockClosedIcon, PlusIcon, UpdateIcon } from '@radix-ui/react-icons';
import { tenantPermissions, type TenantPermission } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { useAnswer, useMay, useMe, type SecretVersion } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { Rotation } from '../api-keys/rotation.tsx';
import { RegenerateDialog } from '../api-keys/regenerate-dialog.tsx';
import { Versions } from '../api-keys/versions.tsx';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { ExactValue } from '../controls/exact-value.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { List } from '../controls/list.tsx';
import { Page } from '../controls/page.tsx';
import { PermissionsField } from '../controls/permissions-field.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';
import { LiveProof } from '../proof/proof-line.tsx';

interface Credential {
  clientId: string;
  name: string;
  permissions: string[];
  secrets: SecretVersion[];
}

/** Credentials with which the tenant's own pipelines call the tenant API. */
export function CredentialsPage() {
  const mayChange = useMay('credentials:write');
  const credentials = useAnswer(['credentials'], (api, signal) => api.GET('/v1/credentials', { signal }));
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<{ name: string; clientId: string; value: string }>();
  const addButton = mayChange && (
    <Button leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
      Make a credential
    </Button>
  );
  return (
    <Page title="Tenant credentials" beside={credentials.data && credentials.data.items.length > 0 && addButton}>
      <Alert color="yellow" variant="outline" icon={<ExclamationTriangleIcon />} title="They stand for the whole tenant">
        <Text size="sm">
          Whoever has one may do at the tenant API what its permissions say, in every repository, also after the person who made it has
          left. Give each pipeline one of its own with the least that it needs. For one person's scripts, use a member credential (under
          Profile); for a tool of one repository, its tool client.
        </Text>
      </Alert>
      <List
        label="Tenant credentials"
        {...credentials}
        items={credentials.data?.items}
        id={({ clientId }) => clientId}
        empty={
          <EmptyState icon={<LockClosedIcon />} title="No credential yet" description="Make one for your pipeline.">
            <EmptyState.Actions>{addButton}</EmptyState.Actions>
          </EmptyState>
        }
        renderRow={(credential) => <CredentialRow credential={credential} mayChange={mayChange} />}
      />
      {adding && <Make onClose={() => setAdding(false)} onMade={setMade} />}
      {made && (
        <ShownOnce title={`The secret of ${made.name}`} what="the secret" value={made.value} onClose={() => setMade(undefined)}>
          Client ID <span className="exact">{made.clientId}</span>. Store the secret where the pipeline finds it; it cannot be shown again.
        </ShownOnce>
      )}
    </Page>
  );
}

function CredentialRow({
  credential: { clientId, name, permissions, secrets },
  mayChange,
}: {
  credential: Credential;
  mayChange: boolean;
}) {
  const api = useApi();
  const queries = useQueryClient();
  const [doing, setDoing] = useState<'regenerate' | 'remove'>();
  const [cutoffId, setCutoffId] = useState<string>();
  const forget = () => queries.invalidateQueries({ queryKey: ['credentials'] });
  const remove = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/credentials/{clientId}', { params: { path: { clientId } }, headers }));
    await forget();
  });
  const ending = secrets.find(({ status, expiresAt, cutoffId: planned }) => status === 'ending' && expiresAt !== null && planned !== null);
  const newer = secrets.find(({ id }) => id !== ending?.id);
  const path = { clientId, cutoffId: ending?.cutoffId ?? '' };
  const endRotation = async (call: Promise<{ data?: { cutoff: { id: string } }; error?: unknown; response: Response }>) => {
    setCutoffId((await answerOf(call)).cutoff.id);
    await forget();
  };
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="xs" className="row">
        <Stack gap={0} miw={0}>
          <Text fw={600}>{name}</Text>
          <ExactValue value={clientId} what={`the client ID of ${name}`} />
          <Text size="sm" c="dimmed">
            {permissions.join(', ')}
          </Text>
        </Stack>
        {mayChange && (
          <Group gap="xs">
            <Button
              size="xs"
              variant="default"
              leftSection={<UpdateIcon />}
              onClick={() => setDoing('regenerate')}
              aria-label={`Regenerate the secret of ${name}`}
            >
              Regenerate
            </Button>
            <Button
              size="xs"
              variant="outline"
              color="var(--mantine-color-error)"
              onClick={() => setDoing('remove')}
              aria-label={`Remove ${name}`}
            >
              Remove
            </Button>
          </Group>
        )}
      </Group>
      {ending && (
        <Rotation
          name={name}
          ending={{ ...ending, expiresAt: ending.expiresAt ?? '' }}
          newerSince={newer?.createdAt ?? ending.createdAt}
          consumers={[]}
          finish={(headers) =>
            endRotation(api.POST('/v1/credentials/{clientId}/rotations/{cutoffId}/finish', { params: { path }, headers }))
          }
          cancel={(headers) =>
            endRotation(api.POST('/v1/credentials/{clientId}/rotations/{cutoffId}/cancel', { params: { path }, headers }))
          }
          onOver={() => void forget()}
        />
      )}
      <Versions versions={secrets} label={`Secrets of ${name} that work`} />
      {cutoffId !== undefined && <LiveProof cutoffId={cutoffId} />}
      {doing === 'regenerate' && (
        <RegenerateDialog
          name={name}
          live={secrets}
          consumers={[]}
          regenerate={async (headers, overlapSeconds) => {
            const params = { path: { clientId } };
            const made = await answerOf(api.POST('/v1/credentials/{clientId}/regenerate', { params, body: { overlapSeconds }, headers }));
            void forget();
            return made;
          }}
          onClose={() => setDoing(undefined)}
        />
      )}
      {doing === 'remove' && (
        <ConfirmDialog title={`Remove ${name}?`} action="Remove it now" change={remove} onClose={() => setDoing(undefined)}>
          <Text size="sm">
            From the moment that you confirm, every node refuses it and the tokens that it got. Whatever uses it stops for good.
          </Text>
        </ConfirmDialog>
      )}
    </Stack>
  );
}

interface Wish extends Record<string, unknown> {
  name: string;
  permissions: TenantPermission[];
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (made: { name: string; clientId: string; value: string }) => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const me = useMe();
  const form = useForm<Wish>({ initialValues: { name: '', permissions: ['repositories:read'] } });
  const change = useChange(async (headers, body: Wish) => {
    const { name, clientId, secret } = await answerOf(api.POST('/v1/credentials', { body, headers }));
    void queries.invalidateQueries({ queryKey: ['credentials'] });
    onClose();
    onMade({ name, clientId, value: secret.value });
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title="Make a tenant credential"
      wide
      action="Make it"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['name', 'permissions']}
      lost="It was made. Close this, and regenerate its secret to get one that you can see."
      onClose={onClose}
    >
      <TextInput
        label="Name"
        description="Of the pipeline that will use it."
        required
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('name')}
      />
      <PermissionsField
        label="What it may do"
        description="Nothing that you may not do."
        all={tenantPermissions.filter((permission) => me.data?.permissions.includes(permission) ?? true)}
        value={form.values.permissions}
        onChange={(value) => form.setFieldValue('permissions', value as TenantPermission[])}
        error={form.errors['permissions'] as string | undefined}
      />
    </FormDialog>
  );
}
