import type { Address } from '@latchkey/content';
import type { KeyRing } from '@latchkey/credentials';
import type { AddressTemplate } from '@latchkey/runtime';
import type { Answer } from './answer.js';
import { badRequest } from './odata/fault.js';
import type { ContentRequest } from './request.js';

/** A named operation on a content. */
export interface Operation {
  name: string;
  /** Whether it only reads: then GET does too. */
  isFunction: boolean;
  run(call: OperationCall): Promise<Answer>;
}

/** One call of an operation. */
export interface OperationCall {
  request: ContentRequest;
  /** What it was called on. Nobody has looked yet whether that is there. */
  address: Address;
  authorityUrls: AddressTemplate;
  repositoryUrls: AddressTemplate;
  /** Under which API keys and secrets are hashed. */
  peppers: KeyRing;
}

/** A parameter by its name in any case, from the body or else the query. */
export function parameter({ request }: OperationCall, name: string): unknown {
  const named = (entries: Iterable<[string, unknown]>) => [...entries].find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  return named(Object.entries(request.body())) ?? named(request.query);
}

/**
 * A parameter that is a text; numbers and flags come as their text.
 *
 * @throws ODataFault 400 when it is a list or an object.
 */
export function textParameter(call: OperationCall, name: string): string {
  const value = parameter(call, name) ?? '';
  if (typeof value === 'object') throw badRequest(`${name} must be a text.`);
  return String(value as string | number | boolean);
}
