import { useState } from 'react';
import { Badge, Button, Group, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi, type Api } from '../../api/api.ts';
import { toProblem } from '../../api/problem.ts';
import { kept, useAnswerOrNone, useMay } from '../../api/queries.ts';
import { useChange, useFaultsAtFields } from '../../api/use-change.ts';
import { ConfirmDialog } from '../../controls/confirm-dialog.tsx';
import { ExactValue, Fact, Facts } from '../../controls/exact-value.tsx';
import { Section } from '../../controls/page.tsx';
import { ProblemAlert } from '../../controls/problem-alert.tsx';
import { When } from '../../controls/when.tsx';

const read = (api: Api, slug: string, signal: AbortSignal) =>
  api.GET('/v1/repositories/{slug}/domain', { params: { path: { slug } }, signal });
type Domain = NonNullable<Awaited<ReturnType<typeof read>>['data']>;

const states = {
  pending: { words: 'Not proved yet', color: 'yellow.3' },
  verified: { words: 'Answers here', color: 'key.1' },
  lost: { words: 'Its record is gone', color: 'red.2' },
} as const;

/** The tenant's own domain, at which the authority of a repository answers too. */
export function CustomDomain({ slug }: { slug: string }) {
  const queries = useQueryClient();
  const mayChange = useMay('repositories:write');
  const key = [...kept.repository(slug), 'domain'];
  const domain = useAnswerOrNone(key, (api, signal) => read(api, slug, signal));
  const forget = () => queries.invalidateQueries({ queryKey: key });
  return (
    <Section
      title="Your own domain"
      about="People sign in at a domain of yours, such as login.example.com, instead of the usual address, which goes on working beside it."
    >
      {domain.error && <ProblemAlert problem={toProblem(domain.error)} retry={() => void domain.refetch()} />}
      {domain.isPending && <Skeleton height={124} role="status" aria-label="Loading: Your own domain" />}
      {domain.data === null && mayChange && <Claim slug={slug} onClaimed={forget} />}
      {domain.data === null && !mayChange && <Text size="sm">None is set.</Text>}
      {domain.data && <Claimed slug={slug} domain={domain.data} mayChange={mayChange} onChanged={forget} />}
    </Section>
  );
}

function Claim({ slug, onClaimed }: { slug: string; onClaimed: () => Promise<unknown> }) {
  const api = useApi();
  const form = useForm({ initialValues: { domain: '' } });
  const change = useChange(async (headers, body: { domain: string }) => {
    await answerOf(api.PUT('/v1/repositories/{slug}/domain', { params: { path: { slug } }, body, headers }));
    await onClaimed();
  });
  useFaultsAtFields(form, change.problem);
  return (
    <form noValidate onSubmit={form.onSubmit((values) => void change.run({ domain: values.domain.trim() }))}>
      <Stack align="flex-start">
        <TextInput
          label="Domain"
          description="You will be shown a DNS record that proves that it is yours."
          placeholder="login.example.com"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          w="100%"
          maw={420}
          {...form.getInputProps('domain')}
        />
        <ProblemAlert problem={change.problem} fields={['domain']} />
        <Button type="submit" size="xs" variant="default" loading={change.pending} disabled={form.values.domain.trim() === ''}>
          Add the domain
        </Button>
      </Stack>
    </form>
  );
}

function Claimed({
  slug,
  domain: { domain, status, record, authorityUrl, seenAt, lostSince },
  mayChange,
  onChanged,
}: {
  slug: string;
  domain: Domain;
  mayChange: boolean;
  onChanged: () => Promise<unknown>;
}) {
  const api = useApi();
  const params = { path: { slug } };
  const [removing, setRemoving] = useState(false);
  const verify = useChange(async (headers) => {
    await answerOf(api.POST('/v1/repositories/{slug}/domain/verify', { params, headers }));
    await onChanged();
  });
  const remove = useChange(async (headers) => {
    await answerOf(api.DELETE('/v1/repositories/{slug}/domain', { params, headers }));
    await onChanged();
  });
  return (
    <Stack>
      <Group gap="xs">
        <Text fw={600} style={{ overflowWrap: 'anywhere' }}>
          {domain}
        </Text>
        <Badge color={states[status].color} c="dark.9" tt="none" fw={500}>
          {states[status].words}
        </Badge>
      </Group>
      {status === 'pending' && (
        <Text size="sm">Publish this record where the DNS of your domain is kept, then check. It can take a while until it is seen.</Text>
      )}
      {status === 'verified' && (
        <Text size="sm">
          Leave the record where it is: it is looked for every day, last <When at={seenAt ?? ''} />.
        </Text>
      )}
      {lostSince !== null && (
        <Text size="sm">
          Publish the record again, and check. It has been gone since <When at={lostSince} />; after 14 days the domain is given up.
        </Text>
      )}
      <Facts>
        <Fact name={`${record.type} record`}>
          <ExactValue value={record.name} what="the name of the record" />
        </Fact>
        <Fact name="Its value">
          <ExactValue value={record.value} what="the value of the record" />
        </Fact>
        {authorityUrl !== null && (
          <Fact name="Authority URL">
            <ExactValue value={authorityUrl} what="the authority URL at your domain" />
          </Fact>
        )}
      </Facts>
      <ProblemAlert problem={verify.problem} />
      {mayChange && (
        <Group gap="sm">
          {status !== 'verified' && (
            <Button size="xs" loading={verify.pending} onClick={() => void verify.run()}>
              Check the record
            </Button>
          )}
          <Button size="xs" variant="outline" color="var(--mantine-color-error)" onClick={() => setRemoving(true)}>
            Remove the domain
          </Button>
        </Group>
      )}
      {removing && (
        <ConfirmDialog title={`Remove ${domain}?`} action="Remove it now" change={remove} onClose={() => setRemoving(false)}>
          <Text size="sm">
            From the moment that you confirm, nothing answers there, and tokens that were issued there are refused. The usual address goes
            on working.
          </Text>
        </ConfirmDialog>
      )}
    </Stack>
  );
}
