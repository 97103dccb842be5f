import { useState } from 'react';
import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { useAnswer, useMay } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { ExactValue } from '../controls/exact-value.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { Section } from '../controls/page.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';

/** The one webhook that is told of everything in the tenant, whichever repository it is in. */
export function TenantWebhook() {
  const queries = useQueryClient();
  const mayChange = useMay('tenant:write');
  const tenant = useAnswer(['tenant'], (api, signal) => api.GET('/v1/tenant', { signal }));
  const [asking, setAsking] = useState<'set' | 'remove'>();
  const [secret, setSecret] = useState<string>();
  const url = tenant.data?.webhook?.url;
  const done = (made?: string) => {
    setAsking(undefined);
    setSecret(made);
    void queries.invalidateQueries({ queryKey: ['tenant'] });
  };
  if (!tenant.data) return null;
  return (
    <Section
      title="For the whole tenant"
      about="One address can be told of everything: of every repository, and of the credentials of the tenant and its members."
    >
      <Stack align="flex-start">
        {url === undefined ? <Text size="sm">None is set.</Text> : <ExactValue value={url} what="the address of the tenant's webhook" />}
        {mayChange && (
          <Group gap="sm">
            <Button size="xs" variant="default" onClick={() => setAsking('set')}>
              {url === undefined ? 'Set an address' : 'Set another address'}
            </Button>
            {url !== undefined && (
              <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking('remove')}>
                Remove
              </Button>
            )}
          </Group>
        )}
      </Stack>
      {asking === 'set' && <SetAddress hasOne={url !== undefined} onClose={() => setAsking(undefined)} onSet={done} />}
      {asking === 'remove' && <RemoveAddress onClose={() => setAsking(undefined)} onRemoved={done} />}
      {secret !== undefined && (
        <ShownOnce title="The signing secret" what="the signing secret" value={secret} onClose={() => setSecret(undefined)}>
          The receiver verifies with it that an event comes from here (Standard Webhooks). If it is lost, set the address again.
        </ShownOnce>
      )}
    </Section>
  );
}

function SetAddress({ hasOne, onClose, onSet }: { hasOne: boolean; onClose: () => void; onSet: (secret: string | undefined) => void }) {
  const api = useApi();
  const form = useForm({ initialValues: { url: '' } });
  const change = useChange(async (headers, { url }: { url: string }) => {
    const { webhookSigningSecret } = await answerOf(api.PATCH('/v1/tenant', { body: { webhook: { url: url.trim() } }, headers }));
    onSet(webhookSigningSecret);
  });
  useFaultsAtFields(form, change.problem);
  const fault = change.problem?.errors.find(({ pointer }) => pointer === '/webhook/url')?.detail;
  return (
    <FormDialog
      title="Tell one address of everything"
      action="Set the address"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['webhook']}
      lost="The address is set. Set it once more to get a signing secret that you can see."
      onClose={onClose}
    >
      <TextInput
        label="Address"
        type="url"
        placeholder="https://example.com/hooks/latchkey"
        required
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('url')}
        error={fault}
      />
      {hasOne && <Text size="sm">It gets a signing secret of its own. The one before is told of nothing more.</Text>}
    </FormDialog>
  );
}

function RemoveAddress({ onClose, onRemoved }: { onClose: () => void; onRemoved: () => void }) {
  const api = useApi();
  const change = useChange(async (headers) => {
    await answerOf(api.PATCH('/v1/tenant', { body: { webhook: null }, headers }));
    onRemoved();
  });
  return (
    <ConfirmDialog title="Remove the tenant's webhook?" action="Remove it now" change={change} onClose={onClose}>
      <Text size="sm">It is told of nothing more. The webhooks of single repositories stay.</Text>
    </ConfirmDialog>
  );
}
