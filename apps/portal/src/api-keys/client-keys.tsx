import { useState } from 'react';
import { Badge, Button, Group, Stack, Text, Textarea } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { answerOf, useApi } from '../api/api.ts';
import { kept, useAnswer, useMay } from '../api/queries.ts';
import { useChange } from '../api/use-change.ts';
import { ConfirmDialog } from '../controls/confirm-dialog.tsx';
import { FormDialog } from '../controls/form-dialog.tsx';
import { List } from '../controls/list.tsx';
import { When } from '../controls/when.tsx';
import { LiveProof } from '../proof/proof-line.tsx';

/** The public keys of a tool that shares no secret: it signs what proves who it is (private_key_jwt). */
export function ClientKeys({ slug, clientId, name }: { slug: string; clientId: string; name: string }) {
  const queries = useQueryClient();
  const mayChange = useMay('clients:write');
  const path = { slug, clientId };
  const key = [...kept.clients(slug), clientId, 'keys'];
  const keys = useAnswer(key, (api, signal) => api.GET('/v1/repositories/{slug}/clients/{clientId}/keys', { params: { path }, signal }));
  const forget = () => queries.invalidateQueries({ queryKey: key });
  const [adding, setAdding] = useState(false);
  const [ending, setEnding] = useState<{ id: string; kid: string }>();
  const [cutoffId, setCutoffId] = useState<string>();
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed" maw={640}>
        Instead of a secret, a tool can prove with a private key of its own who it is (private_key_jwt): nobody else ever has it, not even
        we. Give its public half here.
      </Text>
      <List
        label={`Public keys of ${name}`}
        {...keys}
        items={keys.data?.items.filter(({ endedAt }) => endedAt === null)}
        id={({ id }) => id}
        empty={<Text size="sm">It has none.</Text>}
        renderRow={({ id, kid, algorithms, fetched, createdAt }) => (
          <Group justify="space-between" gap="xs" className="row">
            <Stack gap={2} miw={0}>
              <Text className="exact" style={{ overflowWrap: 'anywhere' }}>
                {kid}
              </Text>
              <Group gap="xs">
                {algorithms.map((algorithm) => (
                  <Badge key={algorithm} variant="default" tt="none" fw={500}>
                    {algorithm}
                  </Badge>
                ))}
                <Text size="sm" c="dimmed">
                  {fetched ? 'found at its address, ' : ''}since <When at={createdAt} />
                </Text>
              </Group>
            </Stack>
            {mayChange && (
              <Button
                size="xs"
                variant="outline"
                color="var(--mantine-color-error)"
                onClick={() => setEnding({ id, kid })}
                aria-label={`End the key ${kid}`}
              >
                End
              </Button>
            )}
          </Group>
        )}
      />
      {cutoffId !== undefined && <LiveProof slug={slug} cutoffId={cutoffId} />}
      {mayChange && (
        <Group>
          <Button size="xs" variant="default" onClick={() => setAdding(true)}>
            Add a public key
          </Button>
        </Group>
      )}
      {adding && (
        <AddKey
          path={path}
          onClose={() => setAdding(false)}
          onAdded={() => {
            setAdding(false);
            void forget();
          }}
        />
      )}
      {ending && (
        <EndKey
          path={path}
          clientKey={ending}
          onClose={() => setEnding(undefined)}
          onEnded={(id) => {
            setEnding(undefined);
            setCutoffId(id);
            void forget();
          }}
        />
      )}
    </Stack>
  );
}

interface OfClient {
  path: { slug: string; clientId: string };
  onClose: () => void;
}

function AddKey({ path, onClose, onAdded }: OfClient & { onAdded: () => void }) {
  const api = useApi();
  const [text, setText] = useState('');
  const [fault, setFault] = useState<string>();
  const change = useChange(async (headers, jwk: Record<string, unknown>) => {
    await answerOf(api.POST('/v1/repositories/{slug}/clients/{clientId}/keys', { params: { path }, body: { jwk }, headers }));
    onAdded();
  });
  const submit = () => {
    const { jwk, fault: why } = readJwk(text);
    setFault(why);
    if (jwk) void change.run(jwk);
  };
  return (
    <FormDialog title="Add a public key" wide action="Add the key" onSubmit={submit} change={change} onClose={onClose}>
      <Textarea
        label="Public key as a JWK"
        description="EC P-256, Ed25519, or RSA of 2048 bits or more. Keep the private half where the tool is."
        placeholder='{"kty":"EC","crv":"P-256","x":"…","y":"…"}'
        autosize
        minRows={5}
        maxRows={14}
        required
        spellCheck={false}
        classNames={{ input: 'exact' }}
        data-autofocus
        value={text}
        error={fault}
        onChange={(event) => setText(event.currentTarget.value)}
      />
    </FormDialog>
  );
}

/** What was pasted. A private key is not sent anywhere: it would not be private any more. */
function readJwk(text: string): { jwk?: Record<string, unknown>; fault?: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'This is not JSON. A JWK begins with { and ends with }.' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { fault: 'A JWK is one object in braces.' };
  if ('d' in value) return { fault: 'This is the private key: it has a member “d”. Nothing was sent. Paste the public half.' };
  return { jwk: value as Record<string, unknown> };
}

function EndKey({
  path,
  clientKey: { id, kid },
  onClose,
  onEnded,
}: OfClient & { clientKey: { id: string; kid: string }; onEnded: (cutoffId: string) => void }) {
  const api = useApi();
  const change = useChange(async (headers) => {
    const params = { path: { ...path, clientKeyId: id } };
    const { cutoff } = await answerOf(api.DELETE('/v1/repositories/{slug}/clients/{clientId}/keys/{clientKeyId}', { params, headers }));
    onEnded(cutoff.id);
  });
  return (
    <ConfirmDialog title="End this key?" action="End it now" change={change} onClose={onClose}>
      <Text size="sm">
        From the moment that you confirm, every node refuses what <span className="exact">{kid}</span> signs, and every token that it got.
      </Text>
    </ConfirmDialog>
  );
}
