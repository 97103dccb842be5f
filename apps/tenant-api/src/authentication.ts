import { createParamDecorator, SetMetadata, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { Problem } from '@latchkey/contracts';
import type { Actor, Call } from '@latchkey/access';
import {
  CredentialRefused,
  tokenExpired,
  type KeyRing,
  type KnownRepository,
  type PresentedProof,
  type RepositoryDirectory,
  type TokenVerifier,
  type VerifiedToken,
} from '@latchkey/credentials';
import type { Database } from '@latchkey/database';
import { findConsole, resolveActor, type Refusal, type Refusals } from '@latchkey/tenancy';

declare module 'fastify' {
  interface FastifyRequest {
    actor?: Actor;
    /** @throws when the actor may no longer what they might when the call began. */
    refuseEnded?: () => Promise<void>;
  }
}

const publicRoute = 'latchkey:public';

/** A route that takes no credential. */
export const Public = () => SetMetadata(publicRoute, true);

/** Whoever performs the call. */
export const CurrentActor = createParamDecorator((_: unknown, context: ExecutionContext): Actor => {
  const { actor } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!actor) throw new Error('a public route asked for its actor');
  return actor;
});

/** Lets a call through only with a live access token of the console's authority, and finds out who is acting. */
export class Authentication implements CanActivate {
  readonly #reflector = new Reflector();

  constructor(
    readonly database: Database,
    readonly directory: RepositoryDirectory,
    readonly verifier: TokenVerifier,
    /** Where callers know this API to be. */
    readonly baseUrl: string,
    /** Whose token was not taken, for the audit trail. */
    readonly refusals: Refusals,
    readonly peppers: KeyRing,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (this.#reflector.getAllAndOverride<boolean>(publicRoute, [context.getHandler(), context.getClass()])) return true;
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { token, bound } = accessToken(request);
    const consoleRepository = await findConsole(this.directory);
    try {
      const verified = await this.verifier.verify(consoleRepository, token, bound ? this.#proofOf(request) : undefined);
      const resolve = (by: VerifiedToken) =>
        resolveActor(this.database, consoleRepository, by, describeCall(request, this.peppers), tenantHeader(request));
      const actor = await resolve(verified);
      request.actor = actor;
      request.refuseEnded = async () => {
        const { permissions } = await resolve(await this.verifier.inspect(consoleRepository, token, { evenExpired: true }));
        if (!actor.permissions.isSubsetOf(permissions)) throw new Problem('forbidden', 'Your role is not what it was when this began.');
      };
      return true;
    } catch (error) {
      if (!(error instanceof CredentialRefused)) throw error;
      if (error.reason !== tokenExpired) this.refusals.record(refusedToken(consoleRepository, error, request));
      throw new Problem('unauthenticated', `The access token is not accepted: ${error.reason}.`);
    }
  }

  #proofOf(request: FastifyRequest): PresentedProof {
    return { jwt: request.headers['dpop'], method: request.method, url: `${this.baseUrl.replace(/\/$/, '')}${request.url}` };
  }
}

/** RFC 6750 §2.1, or RFC 9449 §7.1 for a token that is bound to a key: the two ways in which a token is taken here. */
function accessToken(request: FastifyRequest): { token: string; bound: boolean } {
  const [, scheme = '', token] = /^(Bearer|DPoP) ([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!token) throw new Problem('unauthenticated', 'Send an access token of the console: Authorization: Bearer …');
  return { token, bound: scheme.toLowerCase() === 'dpop' };
}

/**
 * A token that was not taken, in the trail of whom it concerns: the tenant whose credential got it, every tenant of the person
 * who did, or, if it is none of this installation's, the operator. That a token has expired is nothing to be told: it happens
 * to all.
 */
function refusedToken(consoleRepository: KnownRepository, { reason, holder }: CredentialRefused, request: FastifyRequest): Refusal {
  const { id: consoleId, tenantId: operator } = consoleRepository;
  const ofPerson = holder?.clientKind === 'app' ? { consoleId, userId: holder.userId, otherwise: operator } : undefined;
  return {
    action: 'token.refused',
    tenantId: ofPerson ?? holder?.tenantId ?? operator,
    repositoryId: consoleId,
    by: { kind: 'unknown', id: null },
    target: { kind: 'client', id: holder?.clientId ?? 'unknown' },
    reason,
    call: { requestId: request.id, address: request.ip },
  };
}

/** Which of a person's tenants is meant. */
function tenantHeader(request: FastifyRequest): string | undefined {
  const value = request.headers['latchkey-tenant'];
  return typeof value === 'string' ? value : undefined;
}

function describeCall(request: FastifyRequest, peppers: KeyRing): Call {
  const call: Call = { requestId: request.id, address: request.ip };
  const key = request.headers['idempotency-key'];
  if (key === undefined || request.method === 'GET') return call;
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem('invalid-request', 'The Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.');
  }
  const text = `idempotent call\n${request.method} ${request.url}\n${JSON.stringify(request.body ?? null)}`;
  const earlier = peppers.ids.slice(1).map((id) => peppers.mac(text, id));
  return { ...call, idempotency: { key, fingerprints: [peppers.mac(text), ...earlier] } };
}
