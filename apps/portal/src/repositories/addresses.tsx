import { useState, type ReactNode } from 'react';
import { Button, Divider, Group, Skeleton, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { faultsByField, toProblem } from '../api/problem.ts';
import { kept, useClients, type Repository } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { AddressFields, type AddressFieldsProps } from '../controls/address-fields.tsx';
import { Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';

/** Where the app client's people may be sent, and from where their browsers may call. */
export function Addresses({ repository }: { repository: Repository }) {
  const api = useApi();
  const { slug, appClient } = repository;
  const clients = useClients(slug);
  const client = clients.data?.find((each) => each.clientId === appClient.clientId);
  const patchClient = (headers: Record<string, string>, body: { redirectUris: string[] } | { postLogoutRedirectUris: string[] }) =>
    answerOf(
      api.PATCH('/v1/repositories/{slug}/clients/{clientId}', { params: { path: { slug, clientId: appClient.clientId } }, body, headers }),
    );
  return (
    <Section
      title="Addresses of your app"
      about="An address must match exactly; on a loopback address the port may vary. A change counts at once."
    >
      {clients.error && <ProblemAlert problem={toProblem(clients.error)} retry={() => void clients.refetch()} />}
      {clients.isPending && <Skeleton height={120} />}
      {client && (
        <Stack gap="lg">
          <AddressForm
            slug={slug}
            name="redirectUris"
            legend="Redirect URIs"
            one="a redirect URI"
            about="Where the authority may send people back to after they signed in."
            placeholder="https://app.example.com/signed-in"
            present={client.redirectUris}
            save={(headers, redirectUris) => patchClient(headers, { redirectUris })}
          />
          <Divider />
          <AddressForm
            slug={slug}
            name="postLogoutRedirectUris"
            legend="Redirect URIs after signing out"
            one="a redirect URI after signing out"
            about="Where the authority may send people after they signed out."
            placeholder="https://app.example.com/"
            present={client.postLogoutRedirectUris}
            save={(headers, postLogoutRedirectUris) => patchClient(headers, { postLogoutRedirectUris })}
          />
          <Divider />
          <AddressForm
            slug={slug}
            name="allowedOrigins"
            legend="Allowed origins"
            one="an origin"
            about="Web pages of these origins may call the repository API. Scheme, host and port, nothing after."
            placeholder="https://app.example.com"
            present={repository.allowedOrigins}
            save={(headers, allowedOrigins) =>
              answerOf(api.PATCH('/v1/repositories/{slug}', { params: { path: { slug } }, body: { allowedOrigins }, headers }))
            }
          />
        </Stack>
      )}
    </Section>
  );
}

interface AddressFormProps {
  slug: string;
  name: string;
  legend: string;
  one: AddressFieldsProps['one'];
  about: ReactNode;
  placeholder: string;
  /** What is stored. */
  present: string[];
  save: (headers: { 'Idempotency-Key': string }, value: string[]) => Promise<unknown>;
}

function AddressForm({ slug, present, save, ...fields }: AddressFormProps) {
  const queries = useQueryClient();
  // What is being typed; nothing while it is what is stored.
  const [draft, setDraft] = useState<string[]>();
  const [saved, setSaved] = useState(false);
  const change = useChange(async (headers, value: string[]) => {
    await save(headers, value);
    await queries.invalidateQueries({ queryKey: kept.repository(slug) });
    setDraft(undefined);
    setSaved(true);
  });
  const submit = () => {
    const value = (draft ?? present).map((address) => address.trim()).filter((address) => address !== '');
    setDraft(value);
    void change.run(value);
  };
  return (
    <form
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Stack gap="sm">
        <AddressFields
          {...fields}
          value={draft ?? present}
          errors={change.problem ? faultsByField(change.problem) : {}}
          onChange={(value) => {
            setSaved(false);
            setDraft(value);
          }}
        />
        <ProblemAlert problem={change.problem} fields={[fields.name]} />
        <Group gap="sm" role="status">
          {draft && (
            <>
              <Button type="submit" size="xs" loading={change.pending}>
                Save
              </Button>
              <Button size="xs" variant="default" onClick={() => setDraft(undefined)}>
                Undo
              </Button>
            </>
          )}
          {saved && <Text size="sm">Saved.</Text>}
        </Group>
      </Stack>
    </form>
  );
}
