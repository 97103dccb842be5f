import { useState } from 'react';
import { Button, Menu, Stack, Text, TextInput, Title } from '@mantine/core';
import { CheckIcon, PlusIcon } from '@radix-ui/react-icons';
import { answerOf, useApi } from '../api/api.ts';
import { useAnswer, useConsole, useMe } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { FormDialog } from '../controls/form-dialog.tsx';
import { chosenTenant } from '../session/chosen-tenant.ts';
import { roleWords } from './role-words.ts';

/** Goes to another tenant: everything that was read is of the one before, so the portal begins anew. */
function goTo(id: string): void {
  chosenTenant.set(id);
  window.location.assign('/');
}

/** The tenants of whoever is signed in, in the menu of the member. */
export function TenantMenu({ onMake }: { onMake: () => void }) {
  const me = useMe();
  const tenants = useAnswer(['me', 'tenants'], (api, signal) => api.GET('/v1/me/tenants', { signal }));
  return (
    <>
      <Menu.Label>Tenants</Menu.Label>
      {tenants.data?.items.map(({ id, name, role }) => (
        <Menu.Item
          key={id}
          leftSection={id === me.data?.tenantId ? <CheckIcon aria-label="This one:" /> : <span style={{ width: 15 }} />}
          onClick={() => goTo(id)}
        >
          {name}
          <Text size="xs" c="dimmed">
            {roleWords[role].name}
          </Text>
        </Menu.Item>
      ))}
      <Menu.Item leftSection={<PlusIcon />} onClick={onMake}>
        Make a tenant
      </Menu.Item>
      <Menu.Divider />
    </>
  );
}

/** Makes a tenant of one's own, and goes there. */
export function MakeTenant({ onClose }: { onClose: () => void }) {
  const api = useApi();
  const [name, setName] = useState('');
  const change = useChange(async (headers, wanted: string) => {
    const { id } = await answerOf(api.POST('/v1/me/tenants', { body: { name: wanted }, headers }));
    goTo(id);
  });
  return (
    <FormDialog title="Make a tenant" action="Make it" onSubmit={() => void change.run(name)} change={change} onClose={onClose}>
      <TextInput
        label="Name"
        description="Of your organisation. You become its owner."
        required
        autoComplete="organization"
        data-autofocus
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

/** Stands where the pages are when the tenant that was chosen is none of the person's any more. */
export function NoTenant() {
  const console = useConsole();
  const hadChosen = chosenTenant.get() !== null;
  if (!hadChosen)
    return (
      <Stack align="flex-start" maw={520} mx="auto">
        <Title order={1} size="h2">
          You belong to no tenant
        </Title>
        <Text role="alert">
          You have left yours, or it was deleted. Ask the owner of another to invite you
          {console.data?.signUpUrl
            ? ', or make one of your own: enter the address of your account, and open the link that we mail you.'
            : '.'}
        </Text>
        {console.data?.signUpUrl && (
          <Button component="a" href={console.data.signUpUrl}>
            Make a tenant
          </Button>
        )}
      </Stack>
    );
  return (
    <Stack align="flex-start" maw={520} mx="auto">
      <Text role="alert">You are not a member of this tenant any more. Ask its owner to invite you.</Text>
      <Button
        onClick={() => {
          chosenTenant.forget();
          window.location.assign('/');
        }}
      >
        To your other tenants
      </Button>
    </Stack>
  );
}
