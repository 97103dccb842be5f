import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { maxClientKeys, Problem, type ClientKeyView, type CreateClientKeyBody, type CutoffView } from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, systemActor, type Actor } from '@latchkey/access';
import { ClientKey, isId, newId, type Client, type Database, type EntityManager } from '@latchkey/database';
import { readDocument } from '@latchkey/runtime';
import { findTool } from './find-client.js';
import { carryOutCutoff, confirmCutoff, recordCutoff, type PendingCutoff } from './cutoff.js';

/** A client's public key as it is stored and as the authority verifies with it. */
export type PublicJwk = webcrypto.JsonWebKey & { kid: string; use: string };

/**
 * The public half of a key, with nothing in it but what verifying takes.
 *
 * @throws Problem `invalid-request` for anything else: a private or symmetric key, a weak one, a kind that is not taken.
 */
async function parsePublicJwk(jwk: Record<string, unknown>): Promise<PublicJwk> {
  const refuse = (detail: string) => new Problem('invalid-request', 'The key cannot be taken.', { errors: [{ pointer: '/jwk', detail }] });
  if (['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'].some((name) => name in jwk))
    throw refuse('is private: send the public half, and make another key');
  let key: KeyObject;
  try {
    key = createPublicKey({ key: jwk as never, format: 'jwk' });
  } catch {
    throw refuse('is not a public key');
  }
  const wanted = jwk['alg'];
  const possible = algorithmsOf(key);
  if (possible.length === 0 || (wanted !== undefined && !possible.includes(wanted as string)))
    throw refuse('must be EC P-256, Ed25519, or RSA of 2048 bits or more, with an algorithm of its kind');
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') throw refuse('is not for signatures');
  const bare = key.export({ format: 'jwk' }) as webcrypto.JsonWebKey;
  // Node overlooks what is no base64url, and takes "EC\0" for EC.
  if (Object.entries(bare).some(([name, value]) => jwk[name] !== value)) throw refuse('is not written as in RFC 7518 §6');
  const kid = jwk['kid'] ?? (await calculateJwkThumbprint(bare as never));
  if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(kid)) throw refuse('has an id that is not 1 to 200 printable characters');
  const alg = typeof wanted === 'string' ? { alg: wanted } : {};
  return { ...bare, kid, use: 'sig', ...alg };
}

function algorithmsOf(key: KeyObject): string[] {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return ['ES256'];
  if (key.asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519'];
  return key.asymmetricKeyType === 'rsa' && modulusLength >= 2048 && modulusLength <= 8192 ? ['RS256', 'PS256'] : [];
}

/**
 * The keys with which a tool client proves who it is instead of sending a secret (RFC 7523). Each is a credential of its own:
 * a token names the key that it was got with, and ends with it.
 */
export class ClientKeys {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Every key, the latest first. */
  async list(actor: Actor, slug: string, clientId: string): Promise<ClientKeyView[]> {
    authorize(actor, 'repositories:read');
    return this.#database.read({ tenantId: actor.tenantId }, async (tx) => {
      const repository = await enter(tx, slug);
      await findTool(tx, repository, clientId);
      const where = { repositoryId: repository.id, clientId };
      return (await tx.find(ClientKey, { where, order: { createdAt: 'DESC', id: 'DESC' }, take: 200 })).map(present);
    });
  }

  /**
   * Adds a key. The client's other keys and its secrets go on working.
   *
   * @throws Problem `invalid-request` for what is no key, `already-exists` when a live one has its id, `secret-limit`.
   */
  async add(actor: Actor, slug: string, clientId: string, { jwk }: CreateClientKeyBody): Promise<ClientKeyView> {
    authorize(actor, 'clients:write');
    const publicJwk = await parsePublicJwk(jwk);
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const client = await findTool(tx, repository, clientId, { lock: true });
      const live = await liveKeys(tx, client);
      if (live.some(({ kid }) => kid === publicJwk.kid))
        throw new Problem('already-exists', `The client has a live key with the id ${JSON.stringify(publicJwk.kid)}.`);
      if (live.length >= maxClientKeys)
        throw new Problem('secret-limit', `A client may have ${maxClientKeys} live keys, and this one has. End one first.`);
      const key = await insertKey(tx, client, publicJwk);
      const target = { repositoryId: repository.id, targetKind: 'client-key', targetId: key.id };
      await audit(tx, actor, { action: 'client-key.created', ...target, details: { clientId, kid: key.kid } });
      return present(key);
    });
  }

  /** Ends a key now. When it resolves, no node accepts an assertion of it or a token that it got. Repeating changes nothing. */
  async revoke(actor: Actor, slug: string, clientId: string, keyId: string): Promise<{ cutoff: CutoffView }> {
    authorize(actor, 'clients:write');
    return carryOutCutoff(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug);
      const client = await findTool(tx, repository, clientId, { lock: true });
      const key = isId(keyId) ? await tx.findOneBy(ClientKey, { repositoryId: repository.id, clientId, id: keyId }) : null;
      if (!key) throw new Problem('not-found', 'The client has no such key.');
      // Its end is the tenant's word from now on, whatever the client's address says.
      await tx.update(ClientKey, { repositoryId: repository.id, clientId, id: keyId }, { fetched: false });
      return { repositoryId: repository.id, cutoff: await endKeys(tx, actor, client, [key]) };
    });
  }
}

/**
 * Reads the keys that a client publishes and makes its own what is new there; what is no longer there ends. A key that was
 * revoked stays dead though it is still there. Nothing happens when they were read less than `everySeconds` ago, by whomever.
 *
 * @returns whether they were read.
 * @throws when they cannot be: then everything stays as it is.
 */
export async function fetchClientKeys(
  database: Database,
  owner: { tenantId: string; repositoryId: string; clientId: string },
  options: { everySeconds: number; allowPrivateAddresses: boolean; signal?: AbortSignal },
): Promise<boolean> {
  const { tenantId, repositoryId, clientId } = owner;
  const scope = { tenantId, repositoryId };
  // Noted before, so that a server that hangs is not asked by everybody at once.
  const [[claimed]] = await database.transaction(scope, (tx) =>
    tx.query<[{ jwks_uri: string }[], number]>(
      `UPDATE clients SET jwks_fetched_at = now()
       WHERE repository_id = $1 AND id = $2 AND jwks_uri IS NOT NULL AND deleted_at IS NULL
         AND (jwks_fetched_at IS NULL OR jwks_fetched_at < now() - make_interval(secs => $3)) RETURNING jwks_uri`,
      [repositoryId, clientId, options.everySeconds],
    ),
  );
  if (!claimed) return false;
  const text = await readDocument({
    url: claimed.jwks_uri,
    headers: { accept: 'application/jwk-set+json, application/json', 'user-agent': 'Latchkey' },
    timeoutMillis: 5_000,
    signal: options.signal ?? new AbortController().signal,
    allowPrivateAddresses: options.allowPrivateAddresses,
  });
  const found = await parseJwks(text);
  const cutoff = await database.transaction(scope, async (tx) => {
    const client = await findTool(tx, { id: repositoryId }, clientId, { lock: true });
    // It was given another address meanwhile.
    if (client.jwksUri !== claimed.jwks_uri) return undefined;
    return takeOver(tx, client, found);
  });
  if (cutoff) await confirmCutoff(database, scope, cutoff);
  return true;
}

/** The usable keys of a JWK set; those of other kinds are passed over (RFC 7517 §5). @throws when it is none. */
async function parseJwks(text: string): Promise<PublicJwk[]> {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new Error('the document is no JWK set');
  const parsed = await Promise.allSettled(
    keys.slice(0, maxClientKeys).map(async (key) => parsePublicJwk((key ?? {}) as Record<string, unknown>)),
  );
  const usable = parsed.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  return [...new Map(usable.map((key) => [key.kid, key])).values()];
}

async function takeOver(tx: EntityManager, client: Client, found: PublicJwk[]): Promise<PendingCutoff | undefined> {
  const live = await liveKeys(tx, client);
  const same = (key: ClientKey, jwk: PublicJwk) => key.kid === jwk.kid && isSameKey(key.publicJwk, jwk);
  const gone = live.filter((key) => key.fetched && !found.some((jwk) => same(key, jwk)));
  const actor = systemActor(client.tenantId, 'jwks-uri');
  const cutoff = gone.length > 0 ? await endKeys(tx, actor, client, gone) : undefined;
  const left = live.filter((key) => !gone.includes(key));
  const revoked = await revokedKeys(tx, client);
  const isDead = (jwk: PublicJwk) => revoked.some((key) => isSameKey(key.publicJwk, jwk));
  for (const jwk of found.filter((each) => !isDead(each) && !left.some((key) => key.kid === each.kid))) {
    const key = await insertKey(tx, client, jwk, true);
    const target = { repositoryId: client.repositoryId, targetKind: 'client-key', targetId: key.id };
    await audit(tx, actor, { action: 'client-key.created', ...target, details: { clientId: client.id, kid: key.kid } });
  }
  return cutoff;
}

const isSameKey = (one: webcrypto.JsonWebKey, other: webcrypto.JsonWebKey) =>
  (['kty', 'crv', 'x', 'y', 'n', 'e'] as const).every((member) => one[member] === other[member]);

/** Ends keys with the tokens that they got, in a transaction that holds the client's row, with cut-off and audit. */
export async function endKeys(tx: EntityManager, actor: Actor, client: Client, keys: ClientKey[]): Promise<PendingCutoff> {
  const { repositoryId, tenantId, id: clientId } = client;
  const ids = keys.map(({ id }) => id);
  await tx.query(
    'UPDATE client_keys SET ended_at = coalesce(ended_at, now()) WHERE repository_id = $1 AND client_id = $2 AND id = ANY($3)',
    [repositoryId, clientId, ids],
  );
  const owner = { id: repositoryId, tenantId };
  const cutoff = await recordCutoff(tx, owner, { kind: 'client-key.revoked', clientId, ended: { secretVersionIds: ids } });
  for (const { id, kid } of keys) {
    const details = { clientId, kid, cutoffId: cutoff.id };
    await audit(tx, actor, { action: 'client-key.revoked', repositoryId, targetKind: 'client-key', targetId: id, details });
  }
  return cutoff;
}

/** The keys of a client that work now. */
export async function liveKeys(
  tx: EntityManager,
  { repositoryId, id: clientId }: Pick<Client, 'repositoryId' | 'id'>,
): Promise<ClientKey[]> {
  return tx
    .createQueryBuilder(ClientKey, 'k')
    .where('k.repositoryId = :repositoryId AND k.clientId = :clientId AND k.endedAt IS NULL', { repositoryId, clientId })
    .getMany();
}

/** The keys of a client that were ended by whoever may, and not because its address no longer has them. */
async function revokedKeys(tx: EntityManager, { repositoryId, id: clientId }: Client): Promise<ClientKey[]> {
  return tx
    .createQueryBuilder(ClientKey, 'k')
    .where('k.repositoryId = :repositoryId AND k.clientId = :clientId AND k.endedAt IS NOT NULL AND NOT k.fetched', {
      repositoryId,
      clientId,
    })
    .getMany();
}

async function insertKey(tx: EntityManager, client: Client, publicJwk: PublicJwk, fetched = false): Promise<ClientKey> {
  const { repositoryId, tenantId, id: clientId } = client;
  const row = {
    repositoryId,
    tenantId,
    clientId,
    id: newId(),
    kid: publicJwk.kid,
    publicJwk,
    fetched,
    createdAt: new Date(),
    endedAt: null,
  };
  await tx.insert(ClientKey, row as never);
  return row;
}

function present({ id, kid, publicJwk, fetched, createdAt, endedAt }: ClientKey): ClientKeyView {
  return {
    id,
    kid,
    algorithms: publicJwk.alg ? [publicJwk.alg] : algorithmsOf(createPublicKey({ key: publicJwk, format: 'jwk' })),
    fetched,
    createdAt: createdAt.toISOString(),
    endedAt: endedAt?.toISOString() ?? null,
  };
}
