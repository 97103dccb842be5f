import { lazy, Suspense, useState, type ReactNode } from 'react';
import { Badge, Button, Divider, Group, Paper, Skeleton, Stack, Text, Title } from '@mantine/core';
import { UpdateIcon } from '@radix-ui/react-icons';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { toProblem } from '../api/problem.ts';
import {
  kept,
  useConsumers,
  useProofs,
  useSecrets,
  useUser,
  type Consumer,
  type Proof,
  type Repository,
  type RepositoryClient,
  type SecretVersion,
} from '../api/queries.ts';
import { ExactValue, Fact, Facts } from '../controls/exact-value.tsx';
import { ProblemAlert } from '../controls/problem-alert.tsx';
import { When } from '../controls/when.tsx';
import { LiveProof, ProofLine } from '../proof/proof-line.tsx';
import { Consumers } from './consumers.tsx';
import { RegenerateDialog } from './regenerate-dialog.tsx';
import { Rotation } from './rotation.tsx';
import { isOver, Versions } from './versions.tsx';

const ClientKeys = lazy(async () => ({ default: (await import('./client-keys.tsx')).ClientKeys }));

/** A tool client with the versions of its secret, who uses them, and the proofs that earlier ones are refused. */
export function ToolClient({ repository, client, beside }: { repository: Repository; client: RepositoryClient; beside?: ReactNode }) {
  const { slug } = repository;
  const { clientId, name } = client;
  const api = useApi();
  const queries = useQueryClient();
  const secrets = useSecrets(slug, clientId);
  const user = useUser(slug, client.userId);
  const [regenerating, setRegenerating] = useState(false);
  const [keysOpen, setKeysOpen] = useState(false);
  const live = secrets.data?.filter((version) => !isOver(version)) ?? [];
  const over = secrets.data?.filter(isOver) ?? [];
  const ending = live.find(({ status, expiresAt, cutoffId }) => status === 'ending' && expiresAt !== null && cutoffId !== null);
  const consumers = useConsumers(slug, clientId, { often: ending !== undefined });
  const forget = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: kept.secrets(slug, clientId) }),
      queries.invalidateQueries({ queryKey: kept.proofs(slug) }),
      queries.invalidateQueries({ queryKey: kept.consumers(slug, clientId) }),
    ]);
  return (
    <Paper withBorder p={{ base: 'md', sm: 'lg' }} component="section" aria-label={name}>
      <Stack gap="md">
        <Group justify="space-between" gap="xs">
          <Title order={2} size="h5">
            {name}
          </Title>
          {beside}
        </Group>
        <Facts>
          <Fact name="Client ID">
            <ExactValue value={clientId} what={`the client ID of ${name}`} />
          </Fact>
          <Fact name="Acts in the name of">
            {user.data ? `${user.data.name} (${user.data.loginName})` : user.isLoading ? '…' : `user ${client.userId}`}
          </Fact>
          <Fact name="May">{client.permissions.join(', ') || 'nothing'}</Fact>
        </Facts>
        <Divider />
        <Group justify="space-between">
          <Title order={3} size="h6">
            Secret
          </Title>
          <Button
            variant="default"
            leftSection={<UpdateIcon />}
            onClick={() => setRegenerating(true)}
            disabled={!secrets.data}
            aria-label={`Regenerate the secret of ${name}`}
          >
            Regenerate
          </Button>
        </Group>
        <ProblemAlert problem={secrets.error ? toProblem(secrets.error) : undefined} retry={() => void secrets.refetch()} />
        {secrets.isPending && <Skeleton height={48} />}
        {secrets.data && live.length === 0 && <Text size="sm">No secret works at the moment. Regenerate makes one.</Text>}
        {ending && (
          <PlannedRotation {...{ slug, clientId, name, ending, live, consumers: consumers.data ?? [], onChanged: () => void forget() }} />
        )}
        <Versions versions={live} label={`Secrets of ${name} that work`} />
        <Uses name={name} consumers={consumers.data ?? []} problem={consumers.error} />
        <History slug={slug} clientId={clientId} name={name} over={over} />
        <Divider />
        <Stack gap="xs">
          <Group>
            <Button variant="subtle" size="xs" px={6} ml={-6} onClick={() => setKeysOpen(!keysOpen)} aria-expanded={keysOpen}>
              {keysOpen ? 'Hide the public keys' : 'Public keys'}
            </Button>
          </Group>
          <Suspense>{keysOpen && <ClientKeys slug={slug} clientId={clientId} name={name} />}</Suspense>
        </Stack>
      </Stack>
      {regenerating && (
        <RegenerateDialog
          name={name}
          slug={slug}
          settings={{ ...repository, clientId }}
          live={live}
          consumers={consumers.data ?? []}
          regenerate={async (headers, overlapSeconds) => {
            const made = await answerOf(
              api.POST('/v1/repositories/{slug}/clients/{clientId}/secrets/regenerate', {
                params: { path: { slug, clientId } },
                body: { overlapSeconds },
                headers,
              }),
            );
            void forget();
            return made;
          }}
          onClose={() => {
            setRegenerating(false);
            void forget();
          }}
        />
      )}
    </Paper>
  );
}

interface PlannedRotationProps {
  slug: string;
  clientId: string;
  name: string;
  ending: SecretVersion;
  live: SecretVersion[];
  consumers: Consumer[];
  onChanged: () => void;
}

/** A planned rotation of a tool client; when it was ended by hand, the proof of that. */
function PlannedRotation({ slug, clientId, name, ending, live, consumers, onChanged }: PlannedRotationProps) {
  const api = useApi();
  const path = { slug, clientId, cutoffId: ending.cutoffId ?? '' };
  const newer = live.find(({ id }) => id !== ending.id);
  return (
    <Rotation
      name={name}
      ending={{ ...ending, expiresAt: ending.expiresAt ?? '' }}
      newerSince={newer?.createdAt ?? ending.createdAt}
      consumers={consumers}
      finish={async (headers) => {
        await answerOf(api.POST('/v1/repositories/{slug}/clients/{clientId}/rotations/{cutoffId}/finish', { params: { path }, headers }));
        onChanged();
      }}
      cancel={async (headers) => {
        await answerOf(api.POST('/v1/repositories/{slug}/clients/{clientId}/rotations/{cutoffId}/cancel', { params: { path }, headers }));
        onChanged();
      }}
      onOver={onChanged}
    />
  );
}

function Uses({ name, consumers, problem }: { name: string; consumers: Consumer[]; problem: unknown }) {
  const [open, setOpen] = useState(false);
  const late = consumers.filter(({ outcome }) => outcome === 'replaced').length;
  if (problem) return <ProblemAlert problem={toProblem(problem)} />;
  if (consumers.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        Nobody has used it yet. Whoever does will be listed here: a tool says its name in the header{' '}
        <span className="exact">Latchkey-Consumer</span>.
      </Text>
    );
  }
  return (
    <Stack gap="xs" align="stretch">
      <Group gap="xs">
        <Button variant="subtle" size="xs" px={6} ml={-6} onClick={() => setOpen(!open)} aria-expanded={open}>
          {open ? 'Hide who uses it' : `Who uses it (${consumers.length})`}
        </Button>
        {late > 0 && (
          <Badge color="red.2" c="dark.9" tt="none" fw={500}>
            {late} still on an ended secret
          </Badge>
        )}
      </Group>
      {open && <Consumers consumers={consumers} name={name} />}
    </Stack>
  );
}

/** Nodes report within milliseconds, so an older proof is not worth a connection of its own: a browser has six for a host. */
const isYoung = ({ effectiveAt }: Proof) => Date.now() - new Date(effectiveAt ?? 0).getTime() < 30_000;

const isPast = ({ effectiveAt }: Proof) => effectiveAt !== null && new Date(effectiveAt) <= new Date();

/** The secrets that ended, and the proofs of it; the latest proof is shown from the start, and is followed while it fills up. */
function History({ slug, clientId, name, over }: { slug: string; clientId: string; name: string; over: SecretVersion[] }) {
  const proofs = useProofs(slug);
  const [open, setOpen] = useState(false);
  const own = proofs.data?.filter((proof) => proof.clientId === clientId && proof.withdrawnAt === null) ?? [];
  const past = own.filter(isPast);
  const [latest, ...earlier] = past;
  return (
    <Stack gap="md">
      {latest && (
        <Stack gap={4}>
          <Text size="sm" c="dimmed">
            Latest cut-off, <When at={latest.effectiveAt ?? ''} exactly />
          </Text>
          {isYoung(latest) ? <LiveProof key={latest.id} slug={slug} cutoffId={latest.id} /> : <ProofLine proof={latest} slug={slug} />}
        </Stack>
      )}
      {over.length + earlier.length > 0 && (
        <Stack gap="md" align="stretch">
          <Group>
            <Button variant="subtle" size="xs" px={6} ml={-6} onClick={() => setOpen(!open)} aria-expanded={open}>
              {open ? 'Hide the history' : `History: ${over.length} ended`}
            </Button>
          </Group>
          {open && <Versions versions={over} label={`Secrets of ${name} that ended`} />}
          {open &&
            earlier.map((proof) => (
              <Stack key={proof.id} gap={4}>
                <Text size="sm" c="dimmed">
                  Cut off at <When at={proof.effectiveAt ?? ''} exactly />
                </Text>
                <ProofLine proof={proof} slug={slug} />
              </Stack>
            ))}
        </Stack>
      )}
    </Stack>
  );
}
