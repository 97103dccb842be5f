import { parseOperationOptions, parseOptions } from './options.js';

const parse = (query: string) => parseOptions(new URLSearchParams(query), 42);

describe('the query of a request', () => {
  it('is read as existing clients send it', () => {
    const suffix = '$select=Id%2CPath%2CName%2CType%2CDisplayName%2CDescription%2CIcon&metadata=no&$inlinecount=allpages&$top=10000';
    expect(parse(suffix)).toMatchObject({
      select: ['Id', 'Path', 'Name', 'Type', 'DisplayName', 'Description', 'Icon'],
      metadata: 'no',
      countAll: true,
      top: 10_000,
    });
    expect(parse('$orderby=CreationDate desc,Name&$skip=10&enableautofilters=false')).toMatchObject({
      orderBy: [
        { field: 'CreationDate', descending: true },
        { field: 'Name', descending: false },
      ],
      skip: 10,
      filter: undefined,
      metadata: 'full',
    });
    expect(parse('TOP=3&%24Select=*')).toMatchObject({ top: 3, select: undefined });
    const filters = ['$filter=Hidden&enableautofilters=true', 'enableautofilters=true&$filter=Hidden'].map((query) => parse(query).filter);
    for (const filter of filters)
      expect(filter).toMatchObject({
        kind: 'and',
        terms: expect.arrayContaining([{ kind: 'not', term: { kind: 'isOf', type: 'SystemFolder' } }]) as unknown,
      });
    expect(parse('query=Id:@@CurrentUser.Id@@').search).toEqual({
      kind: 'and',
      terms: [{ kind: 'compare', field: 'Id', comparison: 'eq', value: 42 }],
    });
  });

  it.each([
    '$search=x',
    'colour=red',
    'constructor=x',
    '$top=-1',
    '$top=1e3',
    '$skip=x',
    'metadata=some',
    '$inlinecount=some',
    '$count=1',
    '$format=xml',
    '$top=1&top=2',
    '$orderby=Name;drop',
    '$orderby=Name sideways',
  ])('with %s is refused, and says which option', (query) => {
    const name = query.split('=')[0]?.replace('$', '') ?? '';
    expect(() => parse(query)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(name) as string }) as Error);
  });

  it('of an operation may hold anything', () => {
    expect(parseOperationOptions(new URLSearchParams('colour=red&$top=x&$select=Id&metadata=no'))).toMatchObject({
      select: ['Id'],
      metadata: 'no',
      top: undefined,
    });
  });
});
