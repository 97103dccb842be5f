import { useState } from 'react';
import { Button, Group, List, Modal, NativeSelect, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from 'wouter';
import { answerOf, useApi, type Api } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { useMe } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { proofSentence } from '../proof/proof-sentence.ts';
import { chosenTenant } from '../session/chosen-tenant.ts';

const readMembers = (api: Api, after: string | null, signal: AbortSignal) =>
  answerOf(api.GET('/v1/members', { params: { query: { limit: 200, ...(after === null ? {} : { after }) } }, signal }));
type Member = Awaited<ReturnType<typeof readMembers>>['items'][number];
const deleteTenant = (api: Api, headers: Record<string, string>, confirm: string) =>
  answerOf(api.DELETE('/v1/tenant', { params: { query: { confirm } }, headers }));
type Deleted = Awaited<ReturnType<typeof deleteTenant>>;

/** Goes to another tenant of the person's, as if nothing had been read yet. */
function goElsewhere(): void {
  chosenTenant.forget();
  window.location.assign('/');
}

/** How one leaves a tenant, hands it over or ends it. */
export function Ending({ name }: { name: string }) {
  const me = useMe();
  const [asking, setAsking] = useState<'leave' | 'transfer' | 'delete'>();
  const isOwner = me.data?.member?.role === 'owner';
  const close = () => setAsking(undefined);
  if (!me.data?.member) return null;
  return (
    <Section
      title="Leave, hand over, delete"
      about={
        isOwner
          ? 'A tenant always has an owner: hand it over before you leave. Deleting it ends everything below it.'
          : 'You can leave at any time. Only an owner hands the tenant over or deletes it.'
      }
    >
      <Group gap="sm">
        <Button variant="default" onClick={() => setAsking('leave')}>
          Leave
        </Button>
        {isOwner && (
          <Button variant="default" onClick={() => setAsking('transfer')}>
            Hand over
          </Button>
        )}
        {isOwner && (
          <Button variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking('delete')}>
            Delete the tenant
          </Button>
        )}
      </Group>
      {asking === 'leave' && <Leave name={name} memberId={me.data.id} onClose={close} />}
      {asking === 'transfer' && <Transfer name={name} ownId={me.data.id} onClose={close} />}
      {asking === 'delete' && <Delete name={name} onClose={close} />}
    </Section>
  );
}

function Leave({ name, memberId, onClose }: { name: string; memberId: string; onClose: () => void }) {
  const api = useApi();
  const change = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/members/{memberId}', { params: { path: { memberId } }, headers }));
    goElsewhere();
  });
  return (
    <ConfirmDialog title={`Leave ${name}?`} action="Leave it now" change={change} onClose={onClose}>
      <Text size="sm">
        From the moment that you confirm, you are nobody to this tenant, and your credential is refused. Your account stays, and so does
        what you made.
      </Text>
    </ConfirmDialog>
  );
}

/** Reads to whom the tenant could be given, before anything can be chosen or typed. */
function Transfer({ name, ownId, onClose }: { name: string; ownId: string; onClose: () => void }) {
  const api = useApi();
  const members = useQuery({
    queryKey: ['members', 'all'],
    queryFn: async ({ signal }) => {
      const all: Member[] = [];
      let after: string | null = null;
      do {
        const page: { items: Member[]; next: string | null } = await readMembers(api, after, signal);
        all.push(...page.items);
        after = page.next;
      } while (after !== null);
      return all;
    },
  });
  const others = members.data?.filter(({ id, enabled }) => enabled && id !== ownId);
  if (others && others.length > 0) return <TransferTo name={name} others={others} onClose={onClose} />;
  return (
    <Modal opened onClose={onClose} title={`Hand over ${name}`} centered>
      {members.isPending && <Skeleton height={64} role="status" aria-label="Loading: Members" />}
      {!others && members.error && <ProblemAlert problem={toProblem(members.error)} retry={() => void members.refetch()} />}
      {others && (
        <Stack align="flex-start">
          <Text size="sm">Nobody else is a member who can sign in. Invite them first.</Text>
          <Button component={Link} href="/members" data-autofocus>
            To the members
          </Button>
        </Stack>
      )}
    </Modal>
  );
}

function TransferTo({ name, others, onClose }: { name: string; others: Member[]; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [memberId, setMemberId] = useState(others[0]?.id ?? '');
  const [typed, setTyped] = useState('');
  const change = useChange(async (headers, to: string) => {
    await answerOf(api.POST('/v1/tenant/transfer', { body: { memberId: to }, headers }));
    await queries.invalidateQueries();
    onClose();
  });
  return (
    <ConfirmDialog
      title={`Hand over ${name}`}
      action="Hand it over now"
      change={{ ...change, run: () => change.run(memberId) }}
      onClose={onClose}
      disabled={typed.trim() !== name}
    >
      <NativeSelect
        label="New owner"
        data={others.map((other) => ({ value: other.id, label: `${other.name} (${other.loginName})` }))}
        value={memberId}
        onChange={(event) => setMemberId(event.currentTarget.value)}
        data-autofocus
      />
      <Text size="sm">They may do everything from then on, also delete the tenant. You become a super admin, whom they can remove.</Text>
      <TypedName name={name} typed={typed} onType={setTyped} />
    </ConfirmDialog>
  );
}

function Delete({ name, onClose }: { name: string; onClose: () => void }) {
  const api = useApi();
  const queries = useQueryClient();
  const [typed, setTyped] = useState('');
  const [deleted, setDeleted] = useState<Deleted>();
  const change = useChange(async (headers) => {
    const answer = await deleteTenant(api, headers, name);
    // Nothing of it can be read any more, and the page shall stay until its reader goes on.
    queries.setDefaultOptions({ queries: { enabled: false } });
    setDeleted(answer);
  });
  if (deleted) return <Gone name={name} deleted={deleted} />;
  return (
    <ConfirmDialog title={`Delete ${name}?`} action="Delete it now" change={change} onClose={onClose} disabled={typed.trim() !== name}>
      <Text size="sm">From the moment that you confirm, for everybody in it:</Text>
      <List size="sm">
        <List.Item>Every repository is deleted: nobody signs in, and no secret, token or key is taken.</List.Item>
        <List.Item>Every credential of the tenant and of its members is refused.</List.Item>
        <List.Item>Nobody is a member any more. Accounts stay.</List.Item>
      </List>
      <Text size="sm">
        Export what you want to keep first: that is on this page. Whoever runs this installation can bring the tenant back for 30 days; you
        cannot. The audit trail is kept, and no slug is ever given again.
      </Text>
      <TypedName name={name} typed={typed} onType={setTyped} autofocus />
    </ConfirmDialog>
  );
}

/** What ended, for the last time: nobody can ask for it later. */
function Gone({ name, deleted: { repositories, credentials, cutoffs } }: { name: string; deleted: Deleted }) {
  return (
    <Modal opened onClose={goElsewhere} title={`${name} is deleted`} centered>
      <Stack>
        <Text size="sm" role="status">
          {repositories} {repositories === 1 ? 'repository' : 'repositories'} and {credentials}{' '}
          {credentials === 1 ? 'credential' : 'credentials'} ended with it. Its owners and super admins were told by mail.
        </Text>
        <List size="sm" data-testid="proofs">
          {cutoffs.map((cutoff) => (
            <List.Item key={cutoff.id}>{proofSentence(cutoff)}</List.Item>
          ))}
        </List>
        <Group justify="flex-end">
          <Button onClick={goElsewhere}>Go on</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function TypedName({
  name,
  typed,
  onType,
  autofocus = false,
}: {
  name: string;
  typed: string;
  onType: (typed: string) => void;
  autofocus?: boolean;
}) {
  return (
    <TextInput
      label={
        <>
          Type <span className="exact">{name}</span> to confirm
        </>
      }
      value={typed}
      onChange={(event) => onType(event.currentTarget.value)}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      data-autofocus={autofocus || undefined}
    />
  );
}
