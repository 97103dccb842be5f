import { useState } from 'react';
import { Anchor, Badge, Button, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useAuth } from 'react-oidc-context';
import { answerOf, useApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import { useAnswerOrNone, useMe } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { Details } from '../controls/details.tsx';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { Page, Section } from '../controls/page.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { ShownOnce } from '../controls/shown-once.tsx';
import { When } from '../controls/when.tsx';
import { LiveProof } from '../proof/proof-line.tsx';
import { roleWords } from './role-words.ts';

/** Who is signed in, and their own credential for the tenant API. */
export function ProfilePage() {
  const me = useMe();
  const { settings } = useAuth();
  const member = me.data?.member;
  return (
    <Page title="Profile">
      {me.error && <ProblemAlert problem={toProblem(me.error)} retry={() => void me.refetch()} />}
      <Section title="You" about="Your account is at the console, where you sign in. Your role is what this tenant lets you do.">
        {member && (
          <Facts>
            <Fact name="Name">{member.name}</Fact>
            <Fact name="User name">
              <span className="exact">{member.loginName}</span>
            </Fact>
            <Fact name="E-mail address">{member.email ?? 'none'}</Fact>
            <Fact name="Role">
              {roleWords[member.role].name}: {roleWords[member.role].may}
            </Fact>
          </Facts>
        )}
        <Text size="sm" mt="md">
          <Anchor href={`${settings.authority}/account`} inherit underline="always">
            Password, second factor and sessions
          </Anchor>{' '}
          are on the pages of your account.
        </Text>
      </Section>
      <Credential refusal={me.data?.credentialRefusal ?? null} />
    </Page>
  );
}

const refusals = {
  role: 'Your role may have none, says the policy of the tenant.',
  federated: 'You sign in with an account from elsewhere; the policy of the tenant lets such members have none.',
  'mfa-enforced': 'A second factor is enforced for you, which a credential cannot prove; the policy of the tenant lets you have none.',
} as const;

const key = ['me', 'credential'];

function Credential({ refusal }: { refusal: keyof typeof refusals | null }) {
  const api = useApi();
  const queries = useQueryClient();
  const present = useAnswerOrNone(key, (client, signal) => client.GET('/v1/me/credential', { signal }));
  const [made, setMade] = useState<{ clientId: string; value: string }>();
  const [asking, setAsking] = useState(false);
  const [cutoffId, setCutoffId] = useState<string>();
  const create = useChange(async (headers) => {
    const { clientId, secret } = await answerOf(api.POST('/v1/me/credential', { headers }));
    setMade({ clientId, value: secret.value });
    void queries.invalidateQueries({ queryKey: key });
  });
  const revoke = useChange(async (headers) => {
    const { cutoff } = await answerOf(api.DELETE('/v1/me/credential', { headers }));
    setCutoffId(cutoff.id);
    setAsking(false);
    await queries.invalidateQueries({ queryKey: key });
  });
  return (
    <Section
      title="Your credential"
      about="For your own scripts against the tenant API. It may do what your role may, and ends when you leave. One at a time."
    >
      <Stack gap="sm" align="flex-start">
        {present.error && <ProblemAlert problem={toProblem(present.error)} retry={() => void present.refetch()} />}
        {present.data && (
          <>
            <Group gap="sm">
              <ExactValue value={present.data.clientId} what="the client ID of your credential" />
              <Text className="exact">{present.data.hint}</Text>
              <Badge color={present.data.status === 'active' ? 'key.1' : 'yellow.3'} c="dark.9" tt="none" fw={500}>
                {present.data.status === 'active' ? 'Works' : 'Suspended'}
              </Badge>
            </Group>
            <Details>
              <>
                created <When at={present.data.createdAt} />
              </>
              {present.data.lastUsedAt === null ? (
                'no use recorded'
              ) : (
                <>
                  last used <When at={present.data.lastUsedAt} />
                </>
              )}
              <>
                ends <When at={present.data.expiresAt} />
              </>
            </Details>
            <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setAsking(true)}>
              Revoke it
            </Button>
          </>
        )}
        {present.data === null && (
          <>
            <Text size="sm">{refusal === null ? 'You have none.' : refusals[refusal]}</Text>
            {refusal === null && (
              <Button loading={create.pending} onClick={() => void create.run()}>
                Make a credential
              </Button>
            )}
          </>
        )}
        <ProblemAlert problem={create.problem} lost="It was made, and nobody can see its secret. Revoke it and make another." />
        {cutoffId !== undefined && <LiveProof cutoffId={cutoffId} />}
      </Stack>
      {made && (
        <ShownOnce title="Your credential" what="the secret" value={made.value} onClose={() => setMade(undefined)}>
          Client ID <span className="exact">{made.clientId}</span>. Keep the secret as you keep a password; it cannot be shown again.
        </ShownOnce>
      )}
      {asking && (
        <ConfirmDialog title="Revoke your credential?" action="Revoke it now" change={revoke} onClose={() => setAsking(false)}>
          <Text size="sm">
            From the moment that you confirm, every node refuses it and its tokens. Your scripts stop until they have another.
          </Text>
        </ConfirmDialog>
      )}
    </Section>
  );
}
