import { parseQueryText } from './query-text.js';

const terms = (text: string) => (parseQueryText(text, 42) as { terms: unknown[] }).terms;
const id = (value: number) => ({ kind: 'compare', field: 'Id', comparison: 'eq', value });

describe('query=', () => {
  it.each([
    ['Id:@@CurrentUser.Id@@', [id(42)]],
    ['+Id:7', [id(7)]],
    [
      'TypeIs:User AND InTree:"/Root/IMS/Public site"',
      [
        { kind: 'isOf', type: 'User' },
        { kind: 'inTree', path: '/Root/IMS/Public site' },
      ],
    ],
    [
      `+TypeIs:User +InTree:'/Root/IMS/'`,
      [
        { kind: 'isOf', type: 'User' },
        { kind: 'inTree', path: '/Root/IMS' },
      ],
    ],
    [
      'Name:a* AND Name:*b AND Name:*c* AND Name:d',
      [
        { kind: 'text', test: 'startswith', field: 'Name', value: 'a' },
        { kind: 'text', test: 'endswith', field: 'Name', value: 'b' },
        { kind: 'text', test: 'contains', field: 'Name', value: 'c' },
        { kind: 'compare', field: 'Name', comparison: 'eq', value: 'd' },
      ],
    ],
  ])('%s is understood', (text, expected) => expect(terms(text)).toEqual(expected));

  it.each([
    '',
    ' ',
    'Id:x',
    'TypeIs:User Name:x',
    'TypeIs:User OR Name:x',
    'Colour:red',
    '(Id:1)',
    'Id:1 AND',
    'AND Id:1',
    'Id:1AND Id:2',
    'report',
    '.TOP:5',
    `Id:1' OR true`,
  ])('%j is refused with words', (text) => {
    expect(() => parseQueryText(text, 42)).toThrow(expect.objectContaining({ status: 400 }) as Error);
  });
});
