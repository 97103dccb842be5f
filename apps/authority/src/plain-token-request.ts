import type { IncomingMessage } from 'node:http';

/** A request for a token by a client that proves itself with a secret. */
export interface PlainTokenRequest {
  clientId: string;
  secret: string;
  /** As it was sent; nothing if it was not. */
  scope: string | undefined;
}

/** Far more than such a request takes. It must fit in what a request buffers. */
const limitBytes = 4 * 1024;

/** Requests with one of these are answered in ways of their own: CORS, DPoP, other encodings. */
const specialHeaders = ['origin', 'dpop', 'content-encoding', 'transfer-encoding', 'expect'];

const formType = /^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i;

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
  const length = Number(headers['content-length']);
  if (!(length > 0 && length <= limitBytes) || !formType.test(headers['content-type'] ?? '')) return undefined;
  if (specialHeaders.some((name) => name in headers)) return undefined;
  const body = await peek(request, length);
  return body === undefined ? undefined : understand(body.toString('latin1'), headers.authorization);
}

function understand(body: string, authorization: string | undefined): PlainTokenRequest | undefined {
  // A question mark in front would be taken for that of a query.
  if (body.startsWith('?')) return undefined;
  const form = new URLSearchParams(body);
  const { grant_type: grant, client_id: formId, client_secret: formSecret, scope, ...others } = Object.fromEntries(form);
  const given = [grant, formId, formSecret, scope].filter((value) => value !== undefined).length;
  if (grant !== 'client_credentials' || Object.keys(others).length > 0 || form.size !== given) return undefined;
  if (scope !== undefined && !scopeList.test(scope)) return undefined;
  const inForm = formId !== undefined || formSecret !== undefined;
  if (inForm && authorization !== undefined) return undefined;
  const [clientId, secret, ...more] = authorization === undefined ? [formId, formSecret] : basicCredentials(authorization);
  if (!clientId || !secret || more.length > 0) return undefined;
  return { clientId, secret, scope };
}

function basicCredentials(authorization: string): string[] {
  const [, encoded] = /^Basic ([A-Za-z0-9+/]+={0,2})$/.exec(authorization) ?? [];
  return encoded === undefined ? [] : Buffer.from(encoded, 'base64').toString('latin1').split(':');
}

/** The whole body, which stays where it is. @returns nothing when it does not come. */
function peek(request: IncomingMessage, length: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const look = () => {
      const body = request.read(length) as Buffer | null;
      if (body === null && !request.readableEnded && !request.destroyed) return;
      request.off('readable', look).off('close', look);
      if (body !== null) request.unshift(body);
      resolve(body?.length === length ? body : undefined);
    };
    request.on('readable', look).on('close', look);
  });
}
