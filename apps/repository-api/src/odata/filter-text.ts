import {
  comparisons,
  fieldFunctions,
  textTests,
  type AppliedFunction,
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
 *            / field "/any" "(" [ variable ":" variable "/Id" "eq" number ] ")"
 * operand    = field / reference "/Id" / function "(" operand ")" / literal
 *            / "substring" "(" operand "," number [ "," number ] ")" / "indexof" "(" operand "," text ")"
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
  ['punctuation', /([(),:])/y],
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
  functions?: AppliedFunction[];
}
/** The id of what a reference leads to, or of one of those that it leads to. */
interface ReferenceOperand {
  reference: string;
}
type Operand = FieldOperand | ReferenceOperand | { value: Literal };

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
    if ('reference' in left && 'value' in right) return refers(left.reference, comparison, right.value);
    if ('reference' in right && 'value' in left) return refers(right.reference, comparison, left.value);
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
    const called = name.value.toLowerCase();
    if (called === 'substring' || called === 'indexof') return undefined;
    this.#next += 2;
    const collection = /^([^/]+)\/any$/i.exec(name.value)?.[1];
    if (collection) return this.#any(collection);
    const [first, second] = this.#functionArguments();
    if (called === 'isof' && first && 'value' in first && typeof first.value === 'string' && !second)
      return { kind: 'isOf', type: first.value };
    const [field, value] = called === 'substringof' ? [second, first] : [first, second];
    const test = called === 'substringof' ? 'contains' : textTests.find((known) => known === called);
    if (test && field && 'field' in field && value && 'value' in value && typeof value.value === 'string')
      return { kind: 'text', test, ...ofField(field), value: value.value };
    throw badRequest(`$filter: ${name.value} is not a function that is known here, or not with these arguments.`);
  }

  /** `Parts/any(p: p/Id eq 5)`, or `Parts/any()`, of a field that leads to any number of nodes (OData 4 §5.1.1.13.1). */
  #any(field: string): Expression {
    if (this.#takePunctuation(')')) return { kind: 'refers', field, target: 'any' };
    const variable = this.#peek();
    this.#next++;
    this.#expect(':');
    const nested = this.#peek();
    if (variable?.kind !== 'word' || nested?.value.toLowerCase() !== `${variable.value.toLowerCase()}/id`) throw this.#unexpected();
    this.#next++;
    const comparison = this.#comparison();
    const right = this.#operand();
    this.#expect(')');
    if (comparison === 'eq' && 'value' in right && right.value !== null) return refers(field, comparison, right.value);
    throw badRequest(`$filter: any() compares an Id with a number by eq.`);
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
    if ((word === 'substring' || word === 'indexof') && this.#takePunctuation('(')) return this.#calledWith(word);
    if (word === 'null') return { value: null };
    if (word === 'true' || word === 'false') return { value: word === 'true' };
    const reference = /^(createdby|modifiedby)\/id$/.exec(word);
    if (reference) return { field: `${reference[1]}id` };
    const [field = '', nested, ...deeper] = token.value.split('/');
    if (nested?.toLowerCase() === 'id' && deeper.length === 0) return { reference: field };
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

  /** `substring(Name, 1, 2)` and `indexof(Name, 'a')`. */
  #calledWith(name: 'substring' | 'indexof'): Operand {
    if (++this.#depth > maxDepth) throw badRequest(`$filter is nested more than ${maxDepth} deep.`);
    const [inner, ...given] = this.#functionArguments();
    this.#depth--;
    if (!inner || !('field' in inner)) throw badRequest(`$filter: ${name} is of a field.`);
    const [first, second, ...more] = given.map((operand) => ('value' in operand ? operand.value : undefined));
    const of = (called: AppliedFunction) => ({ field: inner.field, functions: [...(inner.functions ?? []), called] });
    if (name === 'indexof' && typeof first === 'string' && given.length === 1) return of({ name, text: first });
    if (name === 'substring' && isPlace(first) && given.length <= 2 && more.length === 0) {
      if (given.length === 1) return of({ name, start: first });
      if (isPlace(second)) return of({ name, start: first, length: second });
    }
    throw badRequest(
      name === 'indexof' ? '$filter: indexof takes a field and a text.' : '$filter: substring takes a field and whole numbers from 0 on.',
    );
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

/** A place in a text, or a length. */
const isPlace = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 100_000;

function refers(field: string, comparison: Comparison, value: Literal): Expression {
  if (comparison !== 'eq' && comparison !== 'ne') throw badRequest(`$filter: ${field}/Id is compared by eq and ne only.`);
  if (value !== null && !(typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2_147_483_647))
    throw badRequest(`$filter: ${field}/Id is compared with a whole number or null.`);
  const expression: Expression = { kind: 'refers', field, target: value ?? 'any' };
  // Equal to null is what leads nowhere.
  return (comparison === 'eq') === (value !== null) ? expression : { kind: 'not', term: expression };
}

function functionNamed(name: string): FieldFunction | undefined {
  return fieldFunctions.find((known) => known === name.toLowerCase());
}
