import { lazy, Suspense, useState } from 'react';
import { Badge, Box, Button, Group, Menu, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { ChevronDownIcon, PlusIcon } from '@radix-ui/react-icons';
import { roles, type Role } from '@latchkey/contracts';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { useAnswer, useMay, useMe, useMembers, usePages } from '../api/queries.ts';
import { useChange, useFaultsAtFields } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { Details } from '../controls/details.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { List } from '../controls/list.tsx';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { SearchField, worthSearching } from '../controls/search-field.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';
import { When } from '../controls/when.tsx';
import { memberAccount } from '../people/account.ts';
import { Proven } from '../proof/proven.tsx';
import { chosenTenant } from '../session/chosen-tenant.ts';
import { roleWords } from './role-words.ts';

const AccountSessions = lazy(async () => ({ default: (await import('../people/account-sessions.tsx')).AccountSessions }));
const AccountFactors = lazy(async () => ({ default: (await import('../people/account-factors.tsx')).AccountFactors }));

interface Member {
  id: string;
  name: string;
  loginName: string;
  role: Role;
}

/** The people of the tenant and those who are invited. */
export function MembersPage() {
  const queries = useQueryClient();
  const me = useMe();
  const mayChange = useMay('members:write');
  const tenant = useAnswer(['tenant'], (api, signal) => api.GET('/v1/tenant', { signal }));
  const mayRevoke = mayChange && tenant.data?.memberCredentials.revocation === 'members-write';
  const [search, setSearch] = useState('');
  const members = useMembers(search);
  const invitations = usePages(['invitations'], (api, page, signal) => api.GET('/v1/invitations', { params: { query: page }, signal }));
  const [inviting, setInviting] = useState(false);
  const [link, setLink] = useState<string>();
  const [doing, setDoing] = useState<{ what: Deed; member: Member }>();
  const done = () => setDoing(undefined);
  const inviteButton = mayChange && (
    <Button leftSection={<PlusIcon />} onClick={() => setInviting(true)}>
      Invite somebody
    </Button>
  );
  return (
    <Page title="Members" beside={inviteButton}>
      <Section title="Members" about="The people of your tenant. A role says what they may do; nobody gives a role above their own.">
        {(search !== '' || (members.items?.length ?? 0) >= worthSearching) && (
          <Box mb="sm">
            <SearchField label="Search the members" placeholder="Search by name, user name or e-mail" onSearch={setSearch} />
          </Box>
        )}
        <List
          label="Members"
          {...members}
          id={({ id }) => id}
          empty={<Text role={search === '' ? undefined : 'status'}>{search === '' ? 'Nobody yet.' : 'No member is called that.'}</Text>}
          renderRow={(member) => (
            <Stack gap={0}>
              <Group justify="space-between" gap="xs" wrap="nowrap" align="flex-start">
                <Group gap="0.25rem 0.5rem" miw={0}>
                  <Text fw={600} style={{ overflowWrap: 'anywhere' }}>
                    {member.name}
                    {member.id === me.data?.id && ' (you)'}
                  </Text>
                  <Badge variant="default" tt="none" fw={500}>
                    {roleWords[member.role].name}
                  </Badge>
                  {!member.enabled && (
                    <Badge color="gray.3" c="dark.9" tt="none" fw={500}>
                      Disabled
                    </Badge>
                  )}
                  {member.hasCredential && (
                    <Badge variant="default" tt="none" fw={500}>
                      Has a credential
                    </Badge>
                  )}
                </Group>
                {mayChange && (
                  <Actions
                    name={member.name}
                    isSelf={member.id === me.data?.id}
                    mayRevoke={mayRevoke && member.hasCredential}
                    onDo={(what) => setDoing({ what, member })}
                  />
                )}
              </Group>
              <Details>
                <span className="exact">{member.loginName}</span>
                {member.email}
                <>
                  since <When at={member.createdAt} />
                </>
              </Details>
            </Stack>
          )}
        />
      </Section>
      <Section title="Open invitations" about="Whoever opens the link first becomes a member. It works once, within seven days.">
        <List
          label="Open invitations"
          {...invitations}
          id={({ id }) => id}
          empty={<Text size="sm">None is open.{mayChange && ' Invite somebody to work on it together.'}</Text>}
          renderRow={(invitation) => <Invitation invitation={invitation} mayChange={mayChange} />}
        />
      </Section>
      {inviting && (
        <Invite
          onClose={() => setInviting(false)}
          onInvited={(made) => {
            setInviting(false);
            setLink(made);
            void queries.invalidateQueries({ queryKey: ['invitations'] });
          }}
        />
      )}
      {link !== undefined && (
        <ShownOnce title="The invitation" what="the link" value={link} onClose={() => setLink(undefined)}>
          Hand it to the person, and to nobody else: whoever opens it first becomes a member. If you gave an address, it was sent there too.
        </ShownOnce>
      )}
      {doing?.what === 'role' && <ChangeRole member={doing.member} onClose={done} />}
      {doing?.what === 'revoke' && <RevokeCredential member={doing.member} onClose={done} />}
      {doing?.what === 'remove' && <Remove member={doing.member} isSelf={doing.member.id === me.data?.id} onClose={done} />}
      <Suspense>
        {doing?.what === 'sessions' && <AccountSessions account={memberAccount(doing.member)} onClose={done} />}
        {doing?.what === 'factors' && <AccountFactors account={memberAccount(doing.member)} onClose={done} />}
      </Suspense>
    </Page>
  );
}

type Deed = 'role' | 'sessions' | 'factors' | 'revoke' | 'remove';

interface ActionsProps {
  name: string;
  isSelf: boolean;
  mayRevoke: boolean;
  onDo: (what: Deed) => void;
}

/** What can be done with a member. One looks after one's own account and credential at their pages. */
function Actions({ name, isSelf, mayRevoke, onDo }: ActionsProps) {
  return (
    <Menu position="bottom-end" withinPortal={false}>
      <Menu.Target>
        <Button size="xs" variant="default" rightSection={<ChevronDownIcon />} flex="none" aria-label={`Actions for ${name}`}>
          Actions
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onDo('role')}>Change the role</Menu.Item>
        {!isSelf && <Menu.Item onClick={() => onDo('sessions')}>Where they are signed in</Menu.Item>}
        {!isSelf && <Menu.Item onClick={() => onDo('factors')}>Second factors</Menu.Item>}
        {!isSelf && mayRevoke && <Menu.Item onClick={() => onDo('revoke')}>Revoke the credential</Menu.Item>}
        <Menu.Item color="var(--mantine-color-error)" onClick={() => onDo('remove')}>
          {isSelf ? 'Leave the tenant' : 'Remove'}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Invitation({
  invitation: { id, role, email, expiresAt },
  mayChange,
}: {
  invitation: { id: string; role: Role; email: string | null; expiresAt: string };
  mayChange: boolean;
}) {
  const api = useApi();
  const queries = useQueryClient();
  const withdraw = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/invitations/{invitationId}', { params: { path: { invitationId: id } }, headers }));
    await queries.invalidateQueries({ queryKey: ['invitations'] });
  });
  return (
    <Stack gap="xs">
      <Group justify="space-between" gap="xs" className="row">
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {email ?? 'Whoever has the link'}, as {roleWords[role].name.toLowerCase()}, until <When at={expiresAt} />
        </Text>
        {mayChange && (
          <Button size="xs" variant="default" loading={withdraw.pending} onClick={() => void withdraw.run()}>
            Withdraw
          </Button>
        )}
      </Group>
      <ProblemAlert problem={withdraw.problem} />
    </Stack>
  );
}

const roleChoices = roles.map((role) => ({ value: role, label: `${roleWords[role].name}: ${roleWords[role].may}` })).toReversed();

function Invite({ onClose, onInvited }: { onClose: () => void; onInvited: (link: string) => void }) {
  const api = useApi();
  const form = useForm({ initialValues: { role: 'developer' as Role, email: '' } });
  const change = useChange(async (headers, { role, email }: { role: Role; email: string }) => {
    const body = { role, ...(email === '' ? {} : { email }) };
    const { link } = await answerOf(api.POST('/v1/invitations', { body, headers }));
    onInvited(link);
  });
  useFaultsAtFields(form, change.problem);
  return (
    <FormDialog
      title="Invite somebody"
      action="Invite"
      onSubmit={form.onSubmit((values) => void change.run(values))}
      change={change}
      fields={['role', 'email']}
      lost="The invitation is open, and nobody can see its link. Close this, withdraw it, and invite once more."
      onClose={onClose}
    >
      <TextInput
        label="E-mail address"
        description="The invitation is sent there. Without one, you hand over the link."
        type="email"
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('email')}
      />
      <NativeSelect label="Role" data={roleChoices} {...form.getInputProps('role')} />
    </FormDialog>
  );
}

function ChangeRole({ member, onClose }: { member: Member; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [role, setRole] = useState<Role>(member.role);
  const change = useChange(async (headers, next: Role) => {
    const params = { path: { memberId: member.id } };
    await answerOf(api.PATCH('/v1/members/{memberId}', { params, body: { role: next }, headers }));
    await queries.invalidateQueries();
    onClose();
  });
  return (
    <FormDialog
      title={`The role of ${member.name}`}
      action="Change the role"
      disabled={role === member.role}
      onSubmit={() => void change.run(role)}
      change={change}
      onClose={onClose}
    >
      <NativeSelect
        label="Role"
        description="It counts from their next call on. A credential that the new role may not have ends, and so do open invitations that it may not make."
        data={roleChoices}
        value={role}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
        data-autofocus
      />
    </FormDialog>
  );
}

/** Ends the credential of another member, where the policy of the tenant lets others do that, and shows that it is refused. */
function RevokeCredential({ member, onClose }: { member: Member; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [cutoffId, setCutoffId] = useState<string>();
  const change = useChange(async (headers) => {
    const { cutoff } = await answerOf(
      api.DELETE('/v1/members/{memberId}/credential', { params: { path: { memberId: member.id } }, headers }),
    );
    setCutoffId(cutoff.id);
    await queries.invalidateQueries({ queryKey: ['members'] });
  });
  if (cutoffId !== undefined) return <Proven title={`${member.name} has no credential`} cutoffId={cutoffId} onClose={onClose} />;
  return (
    <ConfirmDialog title={`Revoke the credential of ${member.name}?`} action="Revoke it now" change={change} onClose={onClose}>
      <Text size="sm">
        From the moment that you confirm, every node refuses it and its tokens. Their scripts stop; they stay a member, and can make
        another.
      </Text>
    </ConfirmDialog>
  );
}

function Remove({ member, isSelf, onClose }: { member: Member; isSelf: boolean; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const change = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/members/{memberId}', { params: { path: { memberId: member.id } }, headers }));
    if (isSelf) {
      chosenTenant.forget();
      return window.location.assign('/');
    }
    // Their open invitations end with them.
    await Promise.all(['members', 'invitations'].map((key) => queries.invalidateQueries({ queryKey: [key] })));
    onClose();
  });
  return (
    <ConfirmDialog
      title={isSelf ? 'Leave the tenant?' : `Remove ${member.name}?`}
      action={isSelf ? 'Leave it now' : 'Remove now'}
      change={change}
      onClose={onClose}
    >
      <Text size="sm">
        From the moment that you confirm, {isSelf ? 'you are' : 'they are'} nobody to this tenant, and {isSelf ? 'your' : 'their'}{' '}
        credential is refused. Invitations that {isSelf ? 'you' : 'they'} made and nobody has taken up are withdrawn.{' '}
        {isSelf ? 'Your' : 'Their'} account stays, and so does what else {isSelf ? 'you' : 'they'} made.
      </Text>
    </ConfirmDialog>
  );
}
