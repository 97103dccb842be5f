import type { IncomingMessage } from 'node:http';
import { peekForm } from './peek-form.js';

/** A request for a token by a client that proves itself with a secret. */
export interface PlainTokenRequest {
  clientId: string;
  secret: string;
  /** As it was sent; nothing if it was not. */
  scope: string | undefined;
}

/** Requests with one of these are answered in ways of their own: CORS, DPoP. */
const specialHeaders = ['origin', 'dpop'];

/** Scopes as RFC 6749 §3.3 has them, of the characters that ours have. */
const scopeList = /^[\w:.-]+( [\w:.-]+)*$/;

/**
 * Reads a request for a token if it is exactly the plain case: a form with the grant `client_credentials`, the client's
 * credentials in it or in a Basic header (RFC 6749 §2.3.1), perhaps a scope, and nothing else.
 *
 * @returns nothing for every other request, whose body can still be read as if nobody had looked at it.
 */
export async function readPlainTokenRequest(request: IncomingMessage): Promise<PlainTokenRequest | undefined> {
  const { headers } = request;
  if (specialHeaders.some((name) => name in headers)) return undefined;
  const form = await peekForm(request);
  return form === undefined ? undefined : understand(form, headers.authorization);
}

function understand(form: URLSearchParams, authorization: string | undefined): PlainTokenRequest | undefined {
  const { grant_type: grant, client_id: formId, client_secret: formSecret, scope, ...others } = Object.fromEntries(form);
  const given = [grant, formId, formSecret, scope].filter((value) => value !== undefined).length;
  if (grant !== 'client_credentials' || Object.keys(others).length > 0 || form.size !== given) return undefined;
  if (scope !== undefined && !scopeList.test(scope)) return undefined;
  const inForm = formId !== undefined || formSecret !== undefined;
  if (inForm && authorization !== undefined) return undefined;
  const [clientId, secret, ...more] = authorization === undefined ? [formId, formSecret] : basicCredentials(authorization);
  if (!clientId || !secret || more.length > 0 || clientId.includes('\0')) return undefined;
  return { clientId, secret, scope };
}

/** What a Basic header says, as far as it is plain. */
export function basicCredentials(authorization: string): string[] {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/.exec(authorization) ?? [];
  return encoded === undefined ? [] : Buffer.from(encoded, 'base64').toString('latin1').split(':');
}
