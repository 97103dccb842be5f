import { useState } from 'react';
import { Badge, Button, Checkbox, EmptyState, Group, NativeSelect, PasswordInput, Stack, TagsInput, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { PersonIcon, PlusIcon } from '@radix-ui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../../api/api.ts';
import { kept, useAnswer, useMay } from '../../api/queries.ts';
import { useChange, useFaultsAtFields } from '../../api/use-change.ts';
import { ConfirmDialog } from '../../controls/confirm-dialog.tsx';
import { ExactValue } from '../../controls/exact-value.tsx';
import { FormDialog } from '../../controls/form-dialog.tsx';
import { List } from '../../controls/list.tsx';
import { Section } from '../../controls/page.tsx';
import { suggestSlug } from '../slug-suggestion.ts';

const keyOf = (slug: string) => [...kept.repository(slug), 'identity-providers'];

interface Provider {
  id: string;
  name: string;
}

/** With whom people from outside sign in. */
export function IdentityProviders({ slug }: { slug: string }) {
  const api = useApi();
  const queries = useQueryClient();
  const mayChange = useMay('repositories:write');
  const providers = useAnswer(keyOf(slug), (client, signal) =>
    client.GET('/v1/repositories/{slug}/identity-providers', { params: { path: { slug } }, signal }),
  );
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<Provider>();
  const forget = () => queries.invalidateQueries({ queryKey: keyOf(slug) });
  const remove = useChange(async (headers, providerId: string) => {
    const path = { slug, providerId };
    await answerOf(api.DELETE('/v1/repositories/{slug}/identity-providers/{providerId}', { params: { path }, headers }));
    await forget();
    setRemoving(undefined);
  });
  const addButton = mayChange && (
    <Button size="xs" leftSection={<PlusIcon />} onClick={() => setAdding(true)}>
      Add a provider
    </Button>
  );
  return (
    <Section
      title="Identity providers"
      about="People can sign in with an account that they have elsewhere: at Google, GitHub or any OpenID provider."
      beside={providers.data && providers.data.items.length > 0 && addButton}
    >
      <List
        label="Identity providers"
        {...providers}
        items={providers.data?.items}
        id={({ id }) => id}
        empty={
          <EmptyState size="sm" icon={<PersonIcon />} title="Only with a password or passkey">
            <EmptyState.Actions>{addButton}</EmptyState.Actions>
          </EmptyState>
        }
        renderRow={(provider) => (
          <Group justify="space-between" gap="xs" className="row">
            <Stack gap={2} miw={0}>
              <Group gap="xs">
                <Text fw={600}>{provider.name}</Text>
                {!provider.enabled && (
                  <Badge color="gray.3" c="dark.9" tt="none" fw={500}>
                    Disabled
                  </Badge>
                )}
              </Group>
              <Text size="sm" c="dimmed">
                {provider.allowSignUp ? 'Whoever comes from there gets an account' : 'Only for users who connected their account'}
              </Text>
              <Text size="sm" c="dimmed" component="div">
                Its redirect URI: <ExactValue value={provider.redirectUri} what={`the redirect URI of ${provider.name}`} />
              </Text>
            </Stack>
            {mayChange && (
              <Button
                size="xs"
                variant="outline"
                color="var(--mantine-color-error)"
                onClick={() => setRemoving(provider)}
                aria-label={`Remove ${provider.name}`}
              >
                Remove
              </Button>
            )}
          </Group>
        )}
      />
      {adding && (
        <AddProvider
          slug={slug}
          onClose={() => setAdding(false)}
          onAdded={() => {
            setAdding(false);
            void forget();
          }}
        />
      )}
      {removing && (
        <ConfirmDialog
          title={`Remove ${removing.name}?`}
          action="Remove it now"
          change={{ ...remove, run: () => remove.run(removing.id) }}
          onClose={() => setRemoving(undefined)}
        >
          <Text size="sm">
            From the moment that you confirm, nobody signs in with it, and those who did are signed out. Their users stay.
          </Text>
        </ConfirmDialog>
      )}
    </Section>
  );
}

interface Wish extends Record<string, unknown> {
  kind: 'oidc' | 'google' | 'github';
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  allowSignUp: boolean;
  emailDomains: string[];
  trustsSecondFactor: boolean;
}

function AddProvider({ slug, onClose, onAdded }: { slug: string; onClose: () => void; onAdded: () => void }) {
  const api = useApi();
  const form = useForm<Wish>({
    initialValues: {
      kind: 'google',
      name: '',
      issuer: '',
      clientId: '',
      clientSecret: '',
      allowSignUp: false,
      emailDomains: [],
      trustsSecondFactor: false,
    },
  });
  const isOther = form.values.kind === 'oidc';
  const change = useChange(async (headers, { name, issuer, clientSecret, kind, ...rest }: Wish) => {
    const body = {
      ...rest,
      kind,
      id: kind === 'oidc' ? suggestSlug(name) || 'provider' : kind,
      ...(kind === 'oidc' ? { name, issuer } : {}),
      ...(clientSecret === '' ? {} : { clientSecret }),
    };
    await answerOf(api.POST('/v1/repositories/{slug}/identity-providers', { params: { path: { slug } }, body, headers }));
    form.setFieldValue('clientSecret', '');
    onAdded();
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title="Add an identity provider"
      wide
      action="Add it"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['kind', 'name', 'issuer', 'clientId', 'clientSecret', 'emailDomains']}
      onClose={onClose}
    >
      <NativeSelect
        label="Provider"
        data={[
          { value: 'google', label: 'Google' },
          { value: 'github', label: 'GitHub' },
          { value: 'oidc', label: 'Another OpenID provider' },
        ]}
        {...form.getInputProps('kind')}
      />
      {isOther && (
        <>
          <TextInput label="Name" description="On the button." required autoComplete="off" {...form.getInputProps('name')} />
          <TextInput
            label="Issuer"
            description="Where its discovery document is, without /.well-known/…"
            required
            type="url"
            placeholder="https://login.example.com"
            autoComplete="off"
            {...form.getInputProps('issuer')}
          />
        </>
      )}
      <TextInput label="Client ID there" required autoComplete="off" {...form.getInputProps('clientId')} />
      <PasswordInput
        label="Client secret there"
        description="Stored encrypted, and never shown again."
        required={!isOther}
        autoComplete="new-password"
        {...form.getInputProps('clientSecret')}
      />
      <Checkbox
        label="Whoever comes from there for the first time gets an account"
        {...form.getInputProps('allowSignUp', { type: 'checkbox' })}
      />
      {form.values.allowSignUp && (
        <TagsInput
          label="Only with an address in"
          description="Domains; none means any. Press Enter after each."
          placeholder="example.com"
          {...form.getInputProps('emailDomains')}
        />
      )}
      <Checkbox
        label="Its second factor counts: no other is asked for here"
        {...form.getInputProps('trustsSecondFactor', { type: 'checkbox' })}
      />
    </FormDialog>
  );
}
