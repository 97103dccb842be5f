import { parseFilter } from './filter-text.js';

const compare = (field: string, comparison: string, value: unknown) => ({ kind: 'compare', field, comparison, value });

describe('$filter', () => {
  it.each([
    [`Name eq 'O''Brien'`, compare('Name', 'eq', "O'Brien")],
    ['Index GE 5', compare('Index', 'ge', 5)],
    ['5 lt Index', compare('Index', 'gt', 5)],
    ['Index eq -1.5e3', compare('Index', 'eq', -1500)],
    ['Description eq null', compare('Description', 'eq', null)],
    ['Hidden', compare('Hidden', 'eq', true)],
    ['not Hidden', { kind: 'not', term: compare('Hidden', 'eq', true) }],
    [`CreationDate gt datetime'2020-01-01T00:00:00'`, compare('CreationDate', 'gt', '2020-01-01T00:00:00')],
    ['CreationDate gt 2020-01-01T00:00:00Z', compare('CreationDate', 'gt', '2020-01-01T00:00:00Z')],
    [`isof('Folder')`, { kind: 'isOf', type: 'Folder' }],
    [`contains(Name,'x')`, { kind: 'text', test: 'contains', field: 'Name', value: 'x' }],
    [`substringof('x', Name) eq true`, { kind: 'text', test: 'contains', field: 'Name', value: 'x' }],
    [`startswith(Name,'x') eq false`, { kind: 'not', term: { kind: 'text', test: 'startswith', field: 'Name', value: 'x' } }],
    [`EndsWith(Name,')')`, { kind: 'text', test: 'endswith', field: 'Name', value: ')' }],
    [`tolower(Name) eq 'x'`, { ...compare('Name', 'eq', 'x'), functions: ['tolower'] }],
    [`5 lt length(trim(Name))`, { ...compare('Name', 'gt', 5), functions: ['trim', 'length'] }],
    [`contains(ToLower(Name),'x')`, { kind: 'text', test: 'contains', field: 'Name', functions: ['tolower'], value: 'x' }],
    ['year(CreationDate) ge 2026', { ...compare('CreationDate', 'ge', 2026), functions: ['year'] }],
    ['Length eq 5', compare('Length', 'eq', 5)],
    ['CreatedBy/Id eq 12', compare('createdbyid', 'eq', 12)],
    [
      'Id eq 1 or Id eq 2 and Id eq 3',
      { kind: 'or', terms: [compare('Id', 'eq', 1), { kind: 'and', terms: [compare('Id', 'eq', 2), compare('Id', 'eq', 3)] }] },
    ],
    [
      '(Id eq 1 or Id eq 2) and not (Id eq 3)',
      {
        kind: 'and',
        terms: [
          { kind: 'or', terms: [compare('Id', 'eq', 1), compare('Id', 'eq', 2)] },
          { kind: 'not', term: compare('Id', 'eq', 3) },
        ],
      },
    ],
  ])('%s is understood', (text, expression) => expect(parseFilter(text)).toEqual(expression));

  it.each([
    '',
    'Name eq',
    "Name eq 'x",
    '(Name eq 1',
    'Name eq 1)',
    'Name = 1',
    '1 eq 2',
    'Name eq Id',
    'shout(Name)',
    `isof(Folder)`,
    'length(5) eq 1',
    'length(Name, Name) eq 1',
    'length(Name',
    `${'trim('.repeat(60)}Name${')'.repeat(60)} eq 'x'`,
    `contains('x',Name)`,
    'CreatedBy/Name eq 1',
    `Name eq 'x'; DROP TABLE content_nodes`,
    'Name eq 1 Name eq 2',
    `contains(Name,'x') eq 5`,
    `${'('.repeat(60)}Hidden${')'.repeat(60)}`,
    `Name eq '${'x'.repeat(9000)}'`,
  ])('%s is refused with words', (text) => {
    expect(() => parseFilter(text)).toThrow(expect.objectContaining({ status: 400 }) as Error);
  });
});
