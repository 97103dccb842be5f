import type { Expression } from '@latchkey/content';
import { badRequest } from './fault.js';

const clausePattern = /\+?([\p{L}]+):(?:'([^']*)'|"([^"]*)"|([^\s()'"]+))(?=\s|$)/uy;

/**
 * Reads the text of `query=`, of which the few forms are understood that existing clients send: `Id:5`,
 * `Id:@@CurrentUser.Id@@`, `TypeIs:User`, `Type:User`, `InTree:/Root/Content`, `Name:report*`, joined by `AND`, or each with
 * a plus before it.
 *
 * @param userId whom `@@CurrentUser.Id@@` stands for.
 * @throws ODataFault 400 that names what is not understood.
 */
export function parseQueryText(text: string, userId: number): Expression {
  const terms: Expression[] = [];
  let at = 0;
  for (;;) {
    while (/\s/.test(text[at] ?? '')) at++;
    if (at >= text.length && terms.length > 0) return { kind: 'and', terms };
    clausePattern.lastIndex = at;
    const clause = clausePattern.exec(text);
    const joined = terms.length === 0 || clause?.[0].startsWith('+') || /\sAND\s+$/.test(text.slice(0, at));
    if (!clause?.[1] || !joined) throw notUnderstood(text.slice(at));
    terms.push(termOf(clause[1], clause[2] ?? clause[3] ?? clause[4] ?? '', userId));
    at = clausePattern.lastIndex;
    const and = /^\s+AND\s+/.exec(text.slice(at));
    if (and) at += and[0].length;
    if (and && at >= text.length) throw notUnderstood('AND');
  }
}

function notUnderstood(rest: string) {
  return badRequest(
    `query is not understood at ${JSON.stringify(rest.slice(0, 60))}. Id:, TypeIs:, Type:, InTree: and Name: are, joined by AND.`,
  );
}

function termOf(field: string, value: string, userId: number): Expression {
  switch (field.toLowerCase()) {
    case 'id':
      return { kind: 'compare', field: 'Id', comparison: 'eq', value: idOf(value, userId) };
    case 'typeis':
      return { kind: 'isOf', type: value };
    case 'type':
      return { kind: 'compare', field: 'Type', comparison: 'eq', value };
    case 'intree':
      return { kind: 'inTree', path: value.replace(/\/$/, '') };
    case 'name':
      return nameTerm(value);
    default:
      throw notUnderstood(`${field}:`);
  }
}

function idOf(value: string, userId: number): number {
  if (/^@@CurrentUser(?:\.Id)?@@$/i.test(value)) return userId;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw notUnderstood(`Id:${value}`);
}

/** `Name:report`, `Name:report*`, `Name:*report`, `Name:*report*`. */
function nameTerm(value: string): Expression {
  const [, before, text, after] = /^(\*?)([^*?]+)(\*?)$/.exec(value) ?? [];
  if (!text) throw notUnderstood(`Name:${value}`);
  if (before && after) return { kind: 'text', test: 'contains', field: 'Name', value: text };
  if (after) return { kind: 'text', test: 'startswith', field: 'Name', value: text };
  if (before) return { kind: 'text', test: 'endswith', field: 'Name', value: text };
  return { kind: 'compare', field: 'Name', comparison: 'eq', value: text };
}
