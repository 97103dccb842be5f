import type { Readable } from 'node:stream';
import { InsufficientScope, StoreUnavailable, VersionMismatch } from '@latchkey/content';
import { Problem, type ProblemType } from '@latchkey/contracts';
import { CredentialRefused, dpopAlgorithms } from '@latchkey/credentials';
import { isUnavailable } from '@latchkey/database';
import { ODataFault, type FaultCode } from './odata/fault.js';

/** What is sent back. */
export interface Answer {
  status: number;
  /** Nothing means an empty body. */
  body?: string;
  /** Bytes in place of a body, read as they are sent. */
  stream?: Readable;
  contentType?: string;
  headers?: Record<string, string>;
}

const odataJson = 'application/json;odata=verbose;charset=utf-8';

/** A value as JSON. */
export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Answer => ({
  status,
  body: JSON.stringify(value),
  contentType: odataJson,
  headers,
});

/** A bare value: `$count`, `$value` and yes or no. */
export const plain = (value: string): Answer => ({ status: 200, body: value, contentType: 'text/plain;charset=utf-8' });

export const noContent: Answer = { status: 204 };

/** An entity's version as an entity tag (RFC 9110 §8.8.3). */
export const versionTag = (version: number): Record<string, string> => ({ etag: `"${version}"` });

/** Names that existing clients know for some kinds of errors. */
const exceptionTypes: Partial<Record<FaultCode, string>> = {
  Unauthorized: 'SenseNetSecurityException',
  Forbidden: 'SenseNetSecurityException',
  ContentAlreadyExists: 'NodeAlreadyExistsException',
  UnknownAction: 'InvalidOperationException',
  IllegalInvoke: 'InvalidOperationException',
};

/** A failure as existing clients read it. */
export function errorBody(fault: ODataFault) {
  return {
    code: fault.code,
    exceptiontype: exceptionTypes[fault.code] ?? 'ODataException',
    message: { lang: 'en-us', value: fault.message },
    innererror: null,
  };
}

function faultAnswer(fault: ODataFault): Answer {
  return {
    status: fault.status,
    body: JSON.stringify({ error: errorBody(fault) }, undefined, 2),
    contentType: odataJson,
    headers: fault.headers,
  };
}

/** How the kinds of problems that the domain knows are told on this surface; the others keep their status. */
const ofProblems: Partial<Record<ProblemType, [status: number, code: FaultCode]>> = {
  forbidden: [403, 'Forbidden'],
  // 403 and not 409: existing clients look for it.
  'already-exists': [403, 'ContentAlreadyExists'],
  'invalid-request': [400, 'RequestError'],
  'malformed-body': [400, 'RequestError'],
  'quota-exceeded': [409, 'QuotaExceeded'],
  'body-too-large': [413, 'RequestTooLarge'],
};

/**
 * What a failure is answered with.
 *
 * @param authorityUrl where the caller gets a token, for `WWW-Authenticate`.
 * @returns nothing for a failure that nobody expected.
 */
export function answerTo(error: unknown, authorityUrl: string | undefined): Answer | undefined {
  // What is not there, or not for the caller to see, is nothing at all.
  if (error instanceof Problem && error.type === 'not-found') return { status: 404 };
  const fault = faultOf(error, authorityUrl);
  return fault && faultAnswer(fault);
}

/** The answer to a failure that nobody expected: no detail, but an id under which the log has it. */
export function unexpectedAnswer(requestId: string): Answer {
  return faultAnswer(new ODataFault(500, 'NotSpecified', `Something went wrong on our side. Tell us the request id ${requestId}.`));
}

/** The failure in the terms of this surface, for an answer of its own or an item of a batch. */
export function faultOf(error: unknown, authorityUrl?: string): ODataFault | undefined {
  if (error instanceof ODataFault) return error;
  if (error instanceof CredentialRefused) {
    return new ODataFault(401, 'Unauthorized', `The credential is not accepted: ${error.reason}.`, {
      'www-authenticate': challenge(authorityUrl, 'invalid_token', error.reason),
    });
  }
  if (error instanceof InsufficientScope) {
    return new ODataFault(403, 'Forbidden', error.message, {
      'www-authenticate': `${challenge(authorityUrl, 'insufficient_scope', error.message)}, scope="${error.permission}"`,
    });
  }
  if (error instanceof VersionMismatch) return new ODataFault(412, 'VersionMismatch', error.message);
  if (error instanceof Problem) {
    const [status, code] = ofProblems[error.type] ?? [error.status, 'NotSpecified'];
    return new ODataFault(status, error.type === 'not-found' ? 'ResourceNotFound' : code, error.message);
  }
  if (isUnavailable(error))
    return new ODataFault(
      503,
      'ServiceUnavailable',
      'The database cannot be reached, and nothing is accepted unchecked. Try again in a moment.',
      { 'retry-after': '1' },
    );
  if (error instanceof StoreUnavailable)
    return new ODataFault(503, 'ServiceUnavailable', 'The files cannot be reached. Try again in a moment.', { 'retry-after': '1' });
  return undefined;
}

/** RFC 6750 §3; for a token that is bound to a key RFC 9449 §7.1. */
function challenge(authorityUrl: string | undefined, error: string, description: string): string {
  const quoted = (text: string) => `"${text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, ' ')}"`;
  const scheme = /DPoP/.test(description) ? `DPoP algs="${dpopAlgorithms.join(' ')}", ` : 'Bearer ';
  return `${scheme}${authorityUrl ? `realm=${quoted(authorityUrl)}, ` : ''}error=${quoted(error)}, error_description=${quoted(description)}`;
}
