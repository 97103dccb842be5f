import { useState } from 'react';
import { Button, Checkbox, Group, NativeSelect, NumberInput, SimpleGrid, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { DownloadIcon } from '@radix-ui/react-icons';
import { roles } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi, type Api } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { useAnswer, useMay } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { inWords } from '../controls/in-words.ts';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { saveFile } from '../controls/save-file.ts';
import { Ending } from './ending.tsx';
import { roleWords } from './role-words.ts';

const readTenant = (api: Api, signal: AbortSignal) => api.GET('/v1/tenant', { signal });
type Tenant = NonNullable<Awaited<ReturnType<typeof readTenant>>['data']>;

/** The tenant's own settings. */
export function TenantPage() {
  const tenant = useAnswer(['tenant'], readTenant);
  const mayChange = useMay('tenant:write');
  return (
    <Page title="Tenant">
      {tenant.error && <ProblemAlert problem={toProblem(tenant.error)} retry={() => void tenant.refetch()} />}
      {!tenant.data && !tenant.error && <Skeleton height={240} role="status" aria-label="Loading the tenant…" />}
      {tenant.data && <Settings tenant={tenant.data} />}
      {tenant.data && mayChange && <Export />}
      {tenant.data && <Ending name={tenant.data.name} />}
    </Page>
  );
}

function Export() {
  const api = useApi();
  const save = useChange(async () => {
    const call = api.GET('/v1/tenant/export', { parseAs: 'blob' });
    saveFile('tenant.ndjson', await answerOf(call as Promise<{ data?: Blob; error?: unknown; response: Response }>));
  });
  return (
    <Section
      title="Everything you have"
      about="Members, repositories with their clients, users, webhooks and content, a thing a line. Secrets are in no export: nobody has them but you."
    >
      <Stack align="flex-start">
        <Button variant="default" leftSection={<DownloadIcon />} loading={save.pending} onClick={() => void save.run()}>
          Export as NDJSON
        </Button>
        <ProblemAlert problem={save.problem} />
      </Stack>
    </Section>
  );
}

type Wish = Pick<Tenant, 'name' | 'mfaEnforced'> & Tenant['memberCredentials'] & Record<string, unknown>;

function Settings({ tenant: { name, mfaEnforced, memberCredentials } }: { tenant: Tenant }) {
  const api = useApi();
  const queries = useQueryClient();
  const mayChange = useMay('tenant:write');
  const [saved, setSaved] = useState(false);
  const form = useForm<Wish>({ initialValues: { name, mfaEnforced, ...memberCredentials }, onValuesChange: () => setSaved(false) });
  const change = useChange(async (headers, values: Wish) => {
    const changed = Object.fromEntries(Object.entries(values).filter(([field]) => form.isDirty(field)));
    const { name: newName, mfaEnforced: enforced, ...policy } = changed as Partial<Wish>;
    const body = {
      ...(newName === undefined ? {} : { name: newName }),
      ...(enforced === undefined ? {} : { mfaEnforced: enforced }),
      ...(Object.keys(policy).length === 0 ? {} : { memberCredentials: policy }),
    };
    await answerOf(api.PATCH('/v1/tenant', { body, headers }));
    await queries.invalidateQueries();
    form.resetDirty(values);
    setSaved(true);
  });
  useFaultsAtFields(form, change.problem);
  return (
    <form onSubmit={form.onSubmit((values) => void change.run(values))} noValidate>
      <fieldset disabled={!mayChange} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
        <Stack gap="lg">
          <Section title="General">
            <Stack>
              <TextInput label="Name" required maw={420} autoComplete="off" {...form.getInputProps('name')} />
              <Checkbox
                label="Every member must prove a second factor when signing in"
                {...form.getInputProps('mfaEnforced', { type: 'checkbox' })}
              />
            </Stack>
          </Section>
          <Section
            title="Credentials of members"
            about="What a stricter policy forbids is refused from the next request on, also of credentials that are there."
          >
            <Stack>
              <SimpleGrid cols={{ base: 1, md: 2 }}>
                <NativeSelect
                  label="Least role that may have one"
                  data={roles.map((role) => ({ value: role, label: roleWords[role].name }))}
                  {...form.getInputProps('minimumRole')}
                />
                <NativeSelect
                  label="Whoever asks for a second"
                  data={[
                    { value: 'refuse', label: 'has to revoke the first' },
                    { value: 'replace', label: 'loses the first at once' },
                  ]}
                  {...form.getInputProps('onSecond')}
                />
                <NumberInput label="Valid for" suffix=" days" min={1} max={36_500} {...form.getInputProps('validDays')} />
                <NumberInput
                  label="Tokens live"
                  suffix=" s"
                  thousandSeparator=" "
                  min={60}
                  max={604_800}
                  rightSection={<Text size="sm">{inWords(form.values.tokenSeconds)}</Text>}
                  rightSectionWidth={110}
                  rightSectionPointerEvents="none"
                  {...form.getInputProps('tokenSeconds')}
                />
                <NativeSelect
                  label="May be revoked by"
                  data={[
                    { value: 'own', label: 'its member alone' },
                    { value: 'members-write', label: 'whoever may change members, too' },
                  ]}
                  {...form.getInputProps('revocation')}
                />
              </SimpleGrid>
              <Checkbox
                label="Also for members who sign in with an account from elsewhere"
                {...form.getInputProps('allowFederated', { type: 'checkbox' })}
              />
              <Checkbox
                label="Also while a second factor is enforced for the member"
                {...form.getInputProps('allowUnderMfa', { type: 'checkbox' })}
              />
            </Stack>
          </Section>
          <ProblemAlert problem={change.problem} fields={['name']} />
          {/* While it says nothing it takes no room, but is there, so that it is read out when it does. */}
          <Group role="status" mt={saved || (form.isDirty() && mayChange) ? 0 : 'calc(-1 * var(--mantine-spacing-lg))'}>
            {form.isDirty() && mayChange && (
              <>
                <Button type="submit" loading={change.pending}>
                  Save
                </Button>
                <Button variant="default" onClick={() => form.reset()}>
                  Undo
                </Button>
              </>
            )}
            {saved && <Text size="sm">Saved.</Text>}
          </Group>
        </Stack>
      </fieldset>
    </form>
  );
}
