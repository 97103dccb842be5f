import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import Provider, { errors, type Adapter, type AdapterPayload } from 'oidc-provider';
import { CredentialRefused, type KnownRepository, type VerifiedToken } from '@latchkey/credentials';
import { OidcRecord, RevokedToken, type EntityManager } from '@latchkey/database';
import type { Authority } from './authority.js';
import { findClient, type ClientAbilities } from './clients.js';
import { codeGuesser } from './device-flow.js';
import { unmark } from './presented-token.js';
import { currentState, nothingFound, stateOf, type RequestState } from './request-state.js';
import { findRecord, writeRecords, type Found, type FoundRecord, type NewRecord, type Writing } from './stored-records.js';

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
    const found = await this.#find('id', this.#stored(id));
    return found && { ...found, jti: id };
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#find('uid', uid);
  }

  /** Nothing after too many wrong ones, confirmed and denied ones too: no answer tells a right one from them. */
  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    const { authority, repository } = this;
    if (await authority.guessing.isGuesser(codeGuesser(authority, repository, Provider.ctx?.req))) return undefined;
    return this.#find('userCode', userCode);
  }

  /**
   * A grant and a code wait for the session, which a request stores last, and are written with it. What is stored as it is
   * is not written again.
   */
  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
    const record = this.#recordOf(id, payload, expiresIn);
    if (this.kind === 'ReplayDetection') return this.#insertOnce(record);
    const identityProviderId = record.identityProviderId ?? undefined;
    const state = currentState();
    if (!state) return writeRecords(this.authority.database, this.repository.id, { records: [record], identityProviderId });
    if (this.kind === 'Session' && state.records.refused) return undefined;
    const stored = state.records.stored.get(nameOf(record));
    if (!isUnchanged(record, stored)) gather(state, { records: [{ ...record, wasFound: stored !== undefined }] });
    if (state.records.gathered && identityProviderId !== undefined) gather(state, { identityProviderId });
    const waits = awaitSession.has(this.kind) && Provider.ctx?.oidc.session !== undefined;
    if (!waits) await this.#writeGathered();
  }

  #recordOf(id: string, payload: AdapterPayload, expiresIn: number): NewRecord {
    const { accountId, grantId, uid, userCode } = payload;
    const userId = accountId === undefined ? null : Number(accountId);
    const isBound = userId !== null && boundToUser.has(this.kind);
    const identityProviderId = isBound ? identityProviderOfPerson() : null;
    return {
      kind: this.kind,
      id: this.#stored(id),
      // In the payload too, with which it comes back; the column is for ending them all.
      payload: {
        ...this.#withoutIds(payload),
        ...(identityProviderId === null ? {} : { identityProviderId }),
        ...(this.kind === 'Session' && this.url !== undefined ? { issuer: this.url } : {}),
      },
      // A request that waits for a sign-in knows the grant that there was before, and goes on when that has ended.
      grantId: this.kind === 'Interaction' ? null : (grantId ?? null),
      uid: uid ?? null,
      userCode: userCode ?? null,
      userId,
      userGeneration: isBound ? generationOfPerson() : null,
      identityProviderId,
      ...(this.kind === 'Session' ? seenNow(this.authority) : { userAgent: null, address: null, usedAt: null }),
      expiresAt: expiresIn ? new Date(Date.now() + expiresIn * 1000) : null,
    };
  }

  /** What a record is called in the database. */
  #stored(id: string): string {
    return secretIds.has(this.kind) ? createHash('sha256').update(id).digest('base64url') : id;
  }

  /** A payload without what is stored as a hash alone: its own id, and the session's in an interaction, which nobody asks for. */
  #withoutIds({ jti, session, ...payload }: AdapterPayload): AdapterPayload {
    if (!secretIds.has(this.kind)) return { ...payload, jti, ...(session === undefined ? {} : { session }) };
    const { cookie: _, ...rest } = (session ?? {}) as { cookie?: string };
    return session === undefined ? payload : { ...payload, session: rest };
  }

  /**
   * Notes that an assertion or proof was used.
   *
   * @throws InvalidGrant when another request has used it since it was looked for, so that two at once cannot both succeed.
   */
  async #insertOnce(record: NewRecord): Promise<void> {
    const { raw } = await this.#write((tx) =>
      tx
        .createQueryBuilder()
        .insert()
        .into(OidcRecord)
        .values({ ...record, repositoryId: this.repository.id } as object)
        .orIgnore()
        .returning('id')
        .execute(),
    );
    if ((raw as unknown[]).length === 0) throw new errors.InvalidGrant('used already');
  }

  /**
   * Uses up a code or refresh token: with what is written because of it, before anything is answered.
   *
   * @throws InvalidGrant, now or when it is written, when another request has used it since it was read.
   */
  async consume(id: string): Promise<void> {
    const used = { kind: this.kind, id: this.#stored(id) };
    const state = currentState();
    if (!state) return writeRecords(this.authority.database, this.repository.id, { used, records: [] });
    if (state.records.gathered?.used) await this.#writeGathered();
    gather(state, { used });
    const { route, session } = Provider.ctx?.oidc ?? {};
    if (route !== 'token' && session === undefined) await this.#writeGathered();
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

  /** One round trip, unless it was found with another that this request has asked for. */
  async #find(by: 'id' | 'uid' | 'userCode', value: string): Promise<AdapterPayload | undefined> {
    const state = currentState();
    await this.#writeGathered();
    const name = `${this.kind} ${by} ${value}`;
    const beside = state?.records.beside.get(name);
    if (state && beside) {
      state.records.beside.delete(name);
      return this.#remember(state, beside);
    }
    const client = this.kind === 'Session' && by === 'id' ? clientOfRequest() : undefined;
    const found = await findRecord(this.authority.database, this.repository.id, { kind: this.kind, by, value, client });
    if (!found) return undefined;
    if (state) noteBeside(state, found);
    return this.#remember(state, found.record);
  }

  /** Finds a record for whoever will ask for it, since the person whose it is is asked for first. One round trip. */
  async lookAhead(id: string): Promise<void> {
    const state = currentState();
    const found =
      state && (await findRecord(this.authority.database, this.repository.id, { kind: this.kind, by: 'id', value: this.#stored(id) }));
    if (!found) return;
    noteBeside(state, found);
    state.records.beside.set(`${this.kind} id ${found.record.id}`, found.record);
  }

  /** @returns what the library stored. */
  #remember(state: RequestState | undefined, record: FoundRecord): AdapterPayload {
    if (boundToUser.has(this.kind)) state?.records.stored.set(nameOf(record), record);
    const { userGeneration, consumedAt } = record;
    // The library changes what it gets, and sessions and grants are compared with what is stored when it stores them again.
    const given = boundToUser.has(this.kind) ? JSON.parse(JSON.stringify(record.payload)) : record.payload;
    const { identityProviderId, issuer: _, ...payload } = given as StoredPayload;
    if (state && this.kind === 'Session' && userGeneration !== null) Object.assign(state, { userGeneration, identityProviderId });
    return { ...payload, ...(consumedAt ? { consumed: Math.floor(consumedAt.getTime() / 1000) } : {}) };
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

  async #writeGathered(): Promise<void> {
    const state = currentState();
    if (state) await writeGathered(this.authority, this.repository, state);
  }

  /** Changes something by itself: after what is gathered, and what was found before counts no more. */
  async #write<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    await this.#writeGathered();
    const state = currentState();
    if (state) state.records = nothingFound();
    return this.authority.database.transaction({ repositoryId: this.repository.id }, work);
  }
}

type StoredPayload = AdapterPayload & { identityProviderId?: string; issuer?: string };

/** Written with the session of the browser that they are for. */
const awaitSession = new Set(['Grant', 'AuthorizationCode']);

const nameOf = ({ kind, id }: Pick<NewRecord, 'kind' | 'id'>) => `${kind} ${id}`;

/**
 * Writes what a request has gathered, if anything: in one round trip, all of it or nothing. Whatever the request is to answer
 * must wait for it.
 *
 * @throws as `writeRecords` does.
 */
export async function writeGathered({ database }: Authority, repository: KnownRepository, { records }: RequestState): Promise<void> {
  const { gathered } = records;
  if (!gathered) return;
  delete records.gathered;
  for (const record of gathered.records) records.stored.delete(nameOf(record));
  try {
    await writeRecords(database, repository.id, gathered);
  } catch (error) {
    records.refused = true;
    throw error;
  }
}

function gather(state: RequestState, more: Partial<Writing>): void {
  const known = state.records.gathered ?? { records: [] };
  const added = more.records ?? [];
  const others = known.records.filter((record) => !added.some((each) => nameOf(each) === nameOf(record)));
  state.records.gathered = { ...known, ...more, records: [...others, ...added] };
}

function noteBeside({ records }: RequestState, { record, person, grant, session }: Found): void {
  if (person) records.person = person;
  if (grant) records.beside.set(`Grant id ${grant.id}`, grant);
  if (session?.uid) records.beside.set(`Session uid ${session.uid}`, session);
  const alive = record.kind === 'Grant' ? record : grant;
  if (alive) records.grants.add(alive.id);
}

/** The client for which a browser was sent here. */
function clientOfRequest(): string | undefined {
  const { client_id: id } = Provider.ctx?.query ?? {};
  return typeof id === 'string' ? id : undefined;
}

/** Sessions note no more often that they are used. */
const noteUseEveryMillis = 60_000;

/** Whether a record is stored as it is. That a session is used from the same place again is noted once in a while. */
function isUnchanged(record: NewRecord, stored: FoundRecord | undefined): boolean {
  if (!stored) return false;
  if (record.usedAt) {
    const isNoted = stored.usedAt !== null && record.usedAt.getTime() - stored.usedAt.getTime() < noteUseEveryMillis;
    if (!isNoted || record.userAgent !== stored.userAgent || record.address !== stored.address) return false;
  }
  return (
    record.userGeneration === stored.userGeneration &&
    record.identityProviderId === stored.identityProviderId &&
    isDeepStrictEqual(record.payload, stored.payload)
  );
}

/** From where a session is used, for its owner to recognise. */
function seenNow(authority: Authority): Pick<NewRecord, 'userAgent' | 'address' | 'usedAt'> {
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
