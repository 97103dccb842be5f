import { createHash } from 'node:crypto';
import Provider, { errors, type Adapter, type AdapterPayload } from 'oidc-provider';
import { CredentialRefused, type KnownRepository, type VerifiedToken } from '@latchkey/credentials';
import { OidcRecord, RevokedToken, type EntityManager } from '@latchkey/database';
import type { Authority } from './authority.js';
import { findClient, type ClientAbilities } from './clients.js';
import { unmark } from './presented-token.js';
import { currentState, stateOf } from './request-state.js';

/** Records that end when their user's generation is raised. */
const boundToUser = new Set(['Session', 'Grant']);

/**
 * Whoever has the id of one of these has what it stands for: it is the code, the token, the cookie. So their ids are stored as
 * hashes (SHA-256; they are random enough to need no salt).
 */
const secretIds = new Set(['Session', 'Interaction', 'AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest']);

/**
 * What oidc-provider remembers of one issuer, in PostgreSQL. Every row carries the repository, and row-level security
 * shows a transaction no other's, so a record of one issuer is not found by another.
 */
export class Records implements Adapter {
  constructor(
    readonly authority: Authority,
    readonly repository: KnownRepository,
    readonly kind: string,
    /** What the issuer's clients may do. */
    readonly abilities: ClientAbilities = { deviceFlow: false },
    /** Of the issuer: sessions remember where they began. */
    readonly url?: string,
  ) {}

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (this.kind === 'Client') return this.#findClient(id);
    if (this.kind === 'AccessToken' || this.kind === 'ClientCredentials') return this.#findAccessToken(id);
    const found = await this.#findRecord('id', this.#stored(id));
    return found && { ...found, jti: id };
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#findRecord('uid', uid);
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#findRecord('userCode', userCode);
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    const { accountId, grantId, uid, userCode } = payload;
    const userId = accountId === undefined ? null : Number(accountId);
    const identityProviderId = userId !== null && boundToUser.has(this.kind) ? identityProviderOfPerson() : null;
    const record: Partial<OidcRecord> = {
      repositoryId: this.repository.id,
      kind: this.kind,
      id: this.#stored(id),
      // In the payload too, with which it comes back; the column is for ending them all.
      payload: {
        ...this.#withoutIds(payload),
        ...(identityProviderId === null ? {} : { identityProviderId }),
        ...(this.kind === 'Session' && this.url !== undefined ? { issuer: this.url } : {}),
      },
      grantId: grantId ?? null,
      uid: uid ?? null,
      userCode: userCode ?? null,
      userId,
      ...(this.kind === 'Session' ? seenNow(this.authority) : {}),
      userGeneration: userId !== null && boundToUser.has(this.kind) ? generationOfPerson() : null,
      identityProviderId,
      expiresAt: expiresIn ? new Date(Date.now() + expiresIn * 1000) : null,
    };
    if (this.kind === 'ReplayDetection') return this.#insertOnce(record);
    const values = recordColumns.map(([, member]) => record[member] ?? null);
    // One round trip, unless something must stay as it is meanwhile.
    if (identityProviderId === null) await this.authority.database.statement({ repositoryId: this.repository.id }, writeRecord, values);
    else
      await this.#write(async (tx) => {
        await this.#holdProvider(tx, identityProviderId);
        await tx.query(writeRecord, values);
      });
    return undefined;
  }

  /** What a record is called in the database. */
  #stored(id: string): string {
    return secretIds.has(this.kind) ? createHash('sha256').update(id).digest('base64url') : id;
  }

  /** A payload without what is stored as a hash alone: its own id, and the session's in an interaction, which nobody asks for. */
  #withoutIds({ jti, session, ...payload }: AdapterPayload): AdapterPayload {
    if (!secretIds.has(this.kind)) return { ...payload, jti, session };
    const { cookie: _, ...rest } = (session ?? {}) as { cookie?: string };
    return session === undefined ? payload : { ...payload, session: rest };
  }

  /**
   * Keeps an identity provider as it is until the transaction has ended. Whoever disables it then finds the record that is
   * about to be written, and ends it with the others.
   *
   * @throws AccessDenied when it has been disabled or removed.
   */
  async #holdProvider(tx: EntityManager, id: string): Promise<void> {
    const rows = await tx.query<unknown[]>('SELECT FROM identity_providers WHERE repository_id = $1 AND id = $2 AND enabled FOR SHARE', [
      this.repository.id,
      id,
    ]);
    if (rows.length === 0) throw new errors.AccessDenied('the identity provider is no longer allowed');
  }

  /**
   * Notes that an assertion or proof was used.
   *
   * @throws InvalidGrant when another request has used it since it was looked for, so that two at once cannot both succeed.
   */
  async #insertOnce(record: Partial<OidcRecord>): Promise<void> {
    const { raw } = await this.#write((tx) =>
      tx
        .createQueryBuilder()
        .insert()
        .into(OidcRecord)
        .values(record as object)
        .orIgnore()
        .returning('id')
        .execute(),
    );
    if ((raw as unknown[]).length === 0) throw new errors.InvalidGrant('used already');
  }

  /**
   * Marks a code or refresh token as used. One round trip.
   *
   * @throws InvalidGrant when another request has used it since it was read, so that two at once cannot both succeed. As with
   * any that is used twice, everything that came of its grant has ended then.
   */
  async consume(id: string): Promise<void> {
    const [row] = await this.authority.database.call<{ consumed: boolean }>('SELECT consume_oidc_record($1, $2, $3) AS consumed', [
      this.repository.id,
      this.kind,
      this.#stored(id),
    ]);
    if (!row?.consumed) throw new errors.InvalidGrant('used already');
  }

  async destroy(id: string): Promise<void> {
    if (this.kind === 'AccessToken' || this.kind === 'ClientCredentials') return this.#revokeAccessToken(id);
    await this.#write((tx) => tx.delete(OidcRecord, { repositoryId: this.repository.id, kind: this.kind, id: this.#stored(id) }));
    return undefined;
  }

  /** Ends a grant with everything that was issued under it: also its access tokens, since they are checked against it. */
  async revokeByGrantId(grantId: string): Promise<void> {
    await this.#write((tx) =>
      tx.query(`DELETE FROM oidc_records WHERE repository_id = $1 AND (grant_id = $2 OR (kind = 'Grant' AND id = $2))`, [
        this.repository.id,
        grantId,
      ]),
    );
  }

  /** One round trip; see the migration that adds the function. */
  async #findRecord(by: 'id' | 'uid' | 'userCode', value: string): Promise<AdapterPayload | undefined> {
    const [record] = await this.authority.database.call<Pick<OidcRecord, 'payload' | 'consumedAt' | 'userGeneration'>>(
      `SELECT payload, consumed_at AS "consumedAt", user_generation AS "userGeneration" FROM find_oidc_record($1, $2, $3, $4)`,
      [this.repository.id, this.kind, by, value],
    );
    if (!record) return undefined;
    const state = currentState();
    const { identityProviderId, issuer: _, ...payload } = record.payload;
    if (state && this.kind === 'Session' && record.userGeneration !== null)
      Object.assign(state, { userGeneration: record.userGeneration, identityProviderId });
    return { ...payload, ...(record.consumedAt ? { consumed: Math.floor(record.consumedAt.getTime() / 1000) } : {}) };
  }

  /** One check within one request answers all of its questions. */
  async #findClient(id: string): Promise<AdapterPayload | undefined> {
    const known = currentState()?.clients;
    const found = known?.get(id) ?? findClient(this.authority, this.repository, id, this.abilities);
    known?.set(id, found);
    return found;
  }

  /**
   * Access tokens are JWTs and are stored nowhere. Whoever presents one to userinfo, introspection or revocation presents
   * the proof itself, so finding it means verifying it and asking whether it is alive.
   */
  async #findAccessToken(presented: string): Promise<AdapterPayload | undefined> {
    const token = await this.#verify(unmark(presented));
    if (!token || (token.clientKind === 'app') !== (this.kind === 'AccessToken')) return undefined;
    const { repository, authority, kind } = this;
    return {
      kind,
      jti: token.tokenId,
      iat: token.issuedAt,
      exp: token.expiresAt,
      clientId: token.clientId,
      scope: token.scopes.join(' '),
      // The library asks whoever presents a bound token for the proof (RFC 9449 §7), and tells a tool of the binding.
      ...(token.keyThumbprint === undefined ? {} : { jkt: token.keyThumbprint }),
      // For userinfo the library wants a token without audience (it reads it as "for userinfo"); ours is for both.
      ...(Provider.ctx?.oidc.route === 'userinfo' ? {} : { aud: authority.audienceOf(repository.slug) }),
      ...(kind === 'AccessToken'
        ? { accountId: String(token.userId), grantId: token.grantId, claims: { userinfo: token.userinfoClaims as never } }
        : { extra: { sub: String(token.userId), client_sub: token.loginName } }),
    };
  }

  async #verify(jwt: string): Promise<VerifiedToken | undefined> {
    const refusedIsNothing = (error: unknown) => {
      if (error instanceof CredentialRefused) return undefined;
      throw error;
    };
    const verify = () => this.authority.verifier.inspect(this.repository, jwt).catch(refusedIsNothing);
    const state = currentState();
    if (!state) return verify();
    // The library looks for a token as several kinds at once; one check within one request answers all.
    const known = state.tokens.get(jwt) ?? verify();
    state.tokens.set(jwt, known);
    return known;
  }

  async #revokeAccessToken(id: string): Promise<void> {
    const presented = await Promise.all(Array.from(currentState()?.tokens.values() ?? []));
    const token = presented.find((each) => each?.tokenId === id);
    if (!token) return;
    const row = { repositoryId: this.repository.id, id, expiresAt: new Date(token.expiresAt * 1000) };
    await this.#write((tx) => tx.upsert(RevokedToken, row, ['repositoryId', 'id']));
  }

  async #write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.authority.database.transaction({ repositoryId: this.repository.id }, work);
  }
}

/** What a record is made of; whether it was used is noted elsewhere. */
const recordColumns = [
  ['repository_id', 'repositoryId'],
  ['kind', 'kind'],
  ['id', 'id'],
  ['payload', 'payload'],
  ['grant_id', 'grantId'],
  ['uid', 'uid'],
  ['user_code', 'userCode'],
  ['user_id', 'userId'],
  ['user_generation', 'userGeneration'],
  ['identity_provider_id', 'identityProviderId'],
  ['user_agent', 'userAgent'],
  ['address', 'address'],
  ['used_at', 'usedAt'],
  ['expires_at', 'expiresAt'],
] as const satisfies (readonly [column: string, member: keyof OidcRecord])[];

const writeRecord = `
  INSERT INTO oidc_records (${recordColumns.map(([column]) => column).join(', ')})
  VALUES (${recordColumns.map((_, index) => `$${index + 1}`).join(', ')})
  ON CONFLICT (repository_id, kind, id) DO UPDATE SET ${recordColumns
    .slice(3)
    .map(([column]) => `${column} = excluded.${column}`)
    .join(', ')}`;

/** From where a session is used, for its owner to recognise. */
function seenNow(authority: Authority): Pick<OidcRecord, 'userAgent' | 'address' | 'usedAt'> {
  const request = Provider.ctx?.req;
  return {
    userAgent: request?.headers['user-agent']?.slice(0, 300) ?? null,
    address: authority.addressOf(request) || null,
    usedAt: new Date(),
  };
}

/** The generation of the person whose session the request has, or who has just signed in. */
function generationOfPerson(): number {
  const ctx = Provider.ctx;
  const signedIn = (ctx?.oidc.result as { generation?: number } | undefined)?.generation;
  const generation = signedIn ?? (ctx ? stateOf(ctx).userGeneration : undefined);
  if (generation === undefined) throw new Error('a session or grant must be bound to the generation of its user');
  return generation;
}

/** With whom the person signed in whose session the request has, or who has just come in; null if that was here. */
function identityProviderOfPerson(): string | null {
  const ctx = Provider.ctx;
  const result = ctx?.oidc.result as { login?: object; identityProviderId?: string } | undefined;
  if (result?.login) return result.identityProviderId ?? null;
  return (ctx ? stateOf(ctx).identityProviderId : undefined) ?? null;
}
