import {
  comparisons,
  fieldFunctions,
  textTests,
  type Comparison,
  type Expression,
  type FieldFunction,
  type Literal,
} from '@latchkey/content';
import { badRequest } from './fault.js';

/*
 * or         = and *( "or" and )
 * and        = unary *( "and" unary )
 * unary      = "not" unary / "(" or ")" / predicate
 * predicate  = test [ ( "eq" / "ne" ) boolean ] / operand comparison operand / field
 * test       = ( "contains" / "startswith" / "endswith" ) "(" field "," text ")"
 *            / "substringof" "(" text "," field ")"
 *            / "isof" "(" text ")"
 * operand    = field / function "(" operand ")" / literal
 * function   = "length" / "tolower" / "toupper" / "trim" / "year" / "month" / "day" / "hour" / "minute" / "second"
 * literal    = text / number / boolean / "null" / ( "datetime" / "datetimeoffset" ) text / ISO date
 * text       = "'" *( any but "'" / "''" ) "'"
 *
 * Words are recognised in any case. It is the part of OData 3 and 4 that existing clients send: a bare boolean field
 * stands for `field eq true`.
 */

/** Longer filters and deeper ones are refused: nobody writes them by hand, and they cost. */
const maxLength = 8_000;
const maxDepth = 50;

interface Token {
  kind: 'word' | 'text' | 'number' | 'time' | 'punctuation';
  value: string;
  at: number;
}

const tokenPatterns: [Token['kind'], RegExp][] = [
  ['time', /(?:datetimeoffset|datetime)'([^']*)'/iy],
  ['time', /(\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)(?![\w.-])/iy],
  ['text', /'((?:[^']|'')*)'/y],
  ['number', /(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)[lmfd]?(?![\w.])/iy],
  ['word', /([\p{L}_][\p{L}\p{N}_]*(?:\/[\p{L}_][\p{L}\p{N}_]*)*)/uy],
  ['punctuation', /([(),])/y],
];

/**
 * Reads the text of `$filter`.
 *
 * @throws ODataFault 400 that says where it stops being understood.
 */
export function parseFilter(text: string): Expression {
  if (text.length > maxLength) throw badRequest(`$filter must be at most ${maxLength} characters.`);
  return new FilterParser(tokenize(text)).parse();
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length) {
    const token = tokenAt(text, at);
    if (!token) throw notUnderstood(text.slice(at, at + 20), at);
    tokens.push(token.token);
    at = skipSpace(text, token.end);
  }
  return tokens;
}

function tokenAt(text: string, at: number): { token: Token; end: number } | undefined {
  for (const [kind, pattern] of tokenPatterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match)
      return {
        token: { kind, value: kind === 'text' ? (match[1] ?? '').replaceAll(`''`, `'`) : (match[1] ?? ''), at },
        end: pattern.lastIndex,
      };
  }
  return undefined;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (/\s/.test(text[at] ?? '')) at++;
  return at;
}

function notUnderstood(what: string, at: number) {
  return badRequest(`$filter is not understood at character ${at + 1}: ${what || 'it ends too early'}`);
}

interface FieldOperand {
  field: string;
  functions?: FieldFunction[];
}
type Operand = FieldOperand | { value: Literal };

/** What is meant by an operand that is a field, alone or within functions. */
const ofField = ({ field, functions }: FieldOperand) => ({ field, ...(functions ? { functions } : {}) });

const mirrored: Record<Comparison, Comparison> = { eq: 'eq', ne: 'ne', gt: 'lt', ge: 'le', lt: 'gt', le: 'ge' };

/** Recursive descent over the tokens; a method for each rule of the grammar above. */
class FilterParser {
  readonly #tokens: Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: Token[]) {
    this.#tokens = tokens;
  }

  parse(): Expression {
    const expression = this.#or();
    const left = this.#peek();
    if (left) throw notUnderstood(left.value, left.at);
    return expression;
  }

  #or(): Expression {
    const terms = [this.#and()];
    while (this.#takeWord('or')) terms.push(this.#and());
    return terms.length === 1 && terms[0] ? terms[0] : { kind: 'or', terms };
  }

  #and(): Expression {
    const terms = [this.#unary()];
    while (this.#takeWord('and')) terms.push(this.#unary());
    return terms.length === 1 && terms[0] ? terms[0] : { kind: 'and', terms };
  }

  #unary(): Expression {
    if (++this.#depth > maxDepth) throw badRequest(`$filter is nested more than ${maxDepth} deep.`);
    const expression = this.#takeWord('not') ? { kind: 'not' as const, term: this.#unary() } : this.#group();
    this.#depth--;
    return expression;
  }

  #group(): Expression {
    if (!this.#takePunctuation('(')) return this.#predicate();
    const inner = this.#or();
    this.#expect(')');
    return inner;
  }

  #predicate(): Expression {
    const test = this.#test();
    if (test) return this.#comparedTest(test);
    const left = this.#operand();
    const comparison = this.#comparison();
    if (!comparison) {
      if ('field' in left) return { kind: 'compare', ...ofField(left), comparison: 'eq', value: true };
      throw this.#unexpected();
    }
    const right = this.#operand();
    if ('field' in left && 'value' in right) return { kind: 'compare', ...ofField(left), comparison, value: right.value };
    if ('field' in right && 'value' in left)
      return { kind: 'compare', ...ofField(right), comparison: mirrored[comparison], value: left.value };
    throw badRequest('$filter compares a field with a value, not two fields or two values.');
  }

  /** `startswith(…) eq true`, as OData 3 clients write it. */
  #comparedTest(test: Expression): Expression {
    const comparison = this.#comparison();
    if (!comparison) return test;
    const right = this.#operand();
    if ((comparison !== 'eq' && comparison !== 'ne') || !('value' in right) || typeof right.value !== 'boolean') {
      throw badRequest('$filter compares the result of a function with true or false only.');
    }
    return right.value === (comparison === 'eq') ? test : { kind: 'not', term: test };
  }

  #test(): Expression | undefined {
    const name = this.#peek();
    const opening = this.#tokens[this.#next + 1];
    if (name?.kind !== 'word' || opening?.value !== '(' || opening.kind !== 'punctuation' || functionNamed(name.value)) return undefined;
    this.#next += 2;
    const [first, second] = this.#functionArguments();
    const called = name.value.toLowerCase();
    if (called === 'isof' && first && 'value' in first && typeof first.value === 'string' && !second)
      return { kind: 'isOf', type: first.value };
    const [field, value] = called === 'substringof' ? [second, first] : [first, second];
    const test = called === 'substringof' ? 'contains' : textTests.find((known) => known === called);
    if (test && field && 'field' in field && value && 'value' in value && typeof value.value === 'string')
      return { kind: 'text', test, ...ofField(field), value: value.value };
    throw badRequest(`$filter: ${name.value} is not a function that is known here, or not with these arguments.`);
  }

  #functionArguments(): Operand[] {
    const found: Operand[] = [];
    do found.push(this.#operand());
    while (this.#takePunctuation(','));
    this.#expect(')');
    return found;
  }

  #operand(): Operand {
    const token = this.#peek();
    if (!token || token.kind === 'punctuation') throw this.#unexpected();
    this.#next++;
    if (token.kind === 'number') return { value: Number(token.value) };
    if (token.kind !== 'word') return { value: token.value };
    const called = functionNamed(token.value);
    if (called && this.#takePunctuation('(')) return this.#called(called);
    const word = token.value.toLowerCase();
    if (word === 'null') return { value: null };
    if (word === 'true' || word === 'false') return { value: word === 'true' };
    const reference = /^(createdby|modifiedby)\/id$/.exec(word);
    if (reference) return { field: `${reference[1]}id` };
    if (word.includes('/')) throw badRequest(`$filter: the nested field ${token.value} cannot be filtered by.`);
    return { field: token.value };
  }

  #called(name: FieldFunction): Operand {
    if (++this.#depth > maxDepth) throw badRequest(`$filter is nested more than ${maxDepth} deep.`);
    const inner = this.#operand();
    this.#depth--;
    this.#expect(')');
    if (!('field' in inner)) throw badRequest(`$filter: ${name} is of a field.`);
    return { field: inner.field, functions: [...(inner.functions ?? []), name] };
  }

  #comparison(): Comparison | undefined {
    const token = this.#peek();
    const comparison = token?.kind === 'word' ? comparisons.find((known) => known === token.value.toLowerCase()) : undefined;
    if (comparison) this.#next++;
    return comparison;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #takeWord(word: string): boolean {
    const token = this.#peek();
    const taken = token?.kind === 'word' && token.value.toLowerCase() === word;
    if (taken) this.#next++;
    return taken;
  }

  #takePunctuation(sign: string): boolean {
    const token = this.#peek();
    const taken = token?.kind === 'punctuation' && token.value === sign;
    if (taken) this.#next++;
    return taken;
  }

  #expect(sign: string): void {
    if (!this.#takePunctuation(sign)) throw this.#unexpected();
  }

  #unexpected() {
    const token = this.#peek();
    const last = this.#tokens.at(-1);
    return notUnderstood(token?.value ?? '', token?.at ?? (last ? last.at + last.value.length : 0));
  }
}

function functionNamed(name: string): FieldFunction | undefined {
  return fieldFunctions.find((known) => known === name.toLowerCase());
}
