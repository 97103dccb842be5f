import { badRequest } from './fault.js';

/** What a request's path means, whichever of its spellings it came in. */
export type ODataAddress =
  /** `odata.svc` alone. */
  | { kind: 'service' }
  /** `$metadata`, of everything or behind a content. */
  | { kind: 'metadata' }
  /** Children of the content at a path: `/Root/Content`. */
  | { kind: 'collection'; path: string }
  /** `/Root/Content/$count`. */
  | { kind: 'count'; path: string }
  /** One content: `/Root/Content/('IT')`, `/Root/Content('IT')`, `/content(1155)`. */
  | { kind: 'entity'; of: EntityAddress }
  /** An operation on it, or a field of it: `/Root/('Content')/Actions`. */
  | { kind: 'member'; of: EntityAddress; name: string; raw: boolean };

export type EntityAddress = { path: string } | { id: number };

const serviceToken = /\/odata\.svc(?=[/(]|$)/i;

/** What stands behind the service token; nothing when the path has none. */
function afterToken(path: string): string | undefined {
  const found = serviceToken.exec(path);
  return found ? path.slice(found.index + found[0].length) : undefined;
}

/**
 * Reads the path of a request: everything before the query, as it came, still percent-encoded.
 *
 * Names are not escaped by existing clients (`('O'Brien's file (1).txt')`), so the name of an entity reaches from the first
 * `('` to the last `')`.
 *
 * @returns nothing when the path has no service token.
 * @throws ODataFault 400 when the path cannot be decoded.
 */
export function parseAddress(path: string): ODataAddress | undefined {
  const encoded = afterToken(path);
  if (encoded === undefined) return undefined;
  const rest = decode(encoded);
  if (rest === '' || rest === '/') return { kind: 'service' };

  if (/\/\$metadata\/?$/i.test(rest)) return { kind: 'metadata' };

  const byId = /^\/content\((\d{1,10})\)(?=\/|$)/i.exec(rest);
  if (byId) return member({ id: Number(byId[1]) }, rest.slice(byId[0].length));

  const open = rest.indexOf(`('`);
  const close = rest.lastIndexOf(`')`);
  if (open >= 0 && close > open) {
    const parent = rest.slice(0, open).replace(/\/$/, '');
    return member({ path: `${parent}/${rest.slice(open + 2, close)}` }, rest.slice(close + 2));
  }
  const count = /\/\$count$/i.exec(rest);
  if (count) return { kind: 'count', path: rest.slice(0, count.index) };
  return { kind: 'collection', path: rest.length > 1 ? rest.replace(/\/$/, '') : rest };
}

function member(of: EntityAddress, rest: string): ODataAddress {
  if (rest === '' || rest === '/') return { kind: 'entity', of };
  const [, name, raw] = /^\/([^/]+)(\/\$value)?\/?$/i.exec(rest) ?? [];
  if (!name) throw badRequest(`The address goes on in a way that is not understood: ${rest}`);
  return { kind: 'member', of, name, raw: raw !== undefined };
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw badRequest('The address is not percent-encoded UTF-8.');
  }
}
