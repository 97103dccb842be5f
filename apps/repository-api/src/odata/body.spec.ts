import { parseBody } from './body.js';

const parse = (text: string) => parseBody(Buffer.from(text));

describe('a body', () => {
  it.each([
    ['', {}],
    ['  ', {}],
    ['{"Name":"IT"}', { Name: 'IT' }],
    ['[{"Name":"IT"}]', { Name: 'IT' }],
    ['models=[{"Name":"a&b=c %20"}]', { Name: 'a&b=c %20' }],
    ['models=%5B%7B%22Name%22%3A%22a+b%22%7D%5D', { Name: 'a b' }],
    ['models=[]', {}],
    ['models={"Name":"IT"}', { Name: 'IT' }],
    ['Name=IT&DisplayName=In+f%C3%B3', { Name: 'IT', DisplayName: 'In fó' }],
  ])('%j is read by its shape', (text, body) => expect(parse(text)).toEqual(body));

  it.each(['{"Name":', '[1]', '[{},{}]', 'null', '"x"', '<xml/>', 'models=nonsense'])('%j is refused', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ status: 400 }) as Error);
  });

  it('that is not quite JSON is read when it is short', () => {
    const loose = (length: number) => `{Name:'${'x'.repeat(length)}'}`;
    expect(parse(loose(10_000))).toHaveProperty('Name');
    expect(() => parse(loose(20_000))).toThrow('not valid JSON');
  });

  it('that is nested too deep is refused', () => {
    const nested = (depth: number) => `{"r":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(parse(nested(31))).toHaveProperty('r');
    expect(() => parse(nested(32))).toThrow('deep');
    expect(() => parse(nested(500_000))).toThrow('deep');
  });

  it('that is not UTF-8 is refused', () => expect(() => parseBody(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow('UTF-8'));

  it('cannot reach the prototype of anything', () => {
    expect(Object.getPrototypeOf(parse('{"__proto__":{"admin":true}}'))).toBe(Object.prototype);
    expect(parse('__proto__=x')).not.toHaveProperty('admin');
  });
});
