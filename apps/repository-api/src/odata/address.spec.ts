import { parseAddress } from './address.js';

describe('an address', () => {
  it.each([
    ['/odata.svc', { kind: 'service' }],
    ['/odata.svc/', { kind: 'service' }],
    [`/odata.svc/('Root')`, { kind: 'entity', of: { path: '/Root' } }],
    [`/OData.svc('Root')`, { kind: 'entity', of: { path: '/Root' } }],
    [`/odata.svc/Root/Content/('IT')`, { kind: 'entity', of: { path: '/Root/Content/IT' } }],
    [`/OData.svc/Root/Content('IT')`, { kind: 'entity', of: { path: '/Root/Content/IT' } }],
    [`/some/prefix/ODATA.SVC/Root/Content('IT')`, { kind: 'entity', of: { path: '/Root/Content/IT' } }],
    [`/odata.svc/Root/Content/('O'Brien's%20file%20(1).txt')`, { kind: 'entity', of: { path: "/Root/Content/O'Brien's file (1).txt" } }],
    [`/odata.svc/Root/Content/('a+b')`, { kind: 'entity', of: { path: '/Root/Content/a+b' } }],
    ['/odata.svc/content(1155)', { kind: 'entity', of: { id: 1155 } }],
    ['/odata.svc/Content(1155)/Actions', { kind: 'member', of: { id: 1155 }, name: 'Actions', raw: false }],
    [`/odata.svc/Root/('Content')/Actions`, { kind: 'member', of: { path: '/Root/Content' }, name: 'Actions', raw: false }],
    [`/odata.svc/Root/('Content')/DisplayName/$value`, { kind: 'member', of: { path: '/Root/Content' }, name: 'DisplayName', raw: true }],
    ['/odata.svc/Root/Content', { kind: 'collection', path: '/Root/Content' }],
    ['/odata.svc/Root/Content/', { kind: 'collection', path: '/Root/Content' }],
    ['/odata.svc/Root/Content%20two(1)', { kind: 'collection', path: '/Root/Content two(1)' }],
    ['/odata.svc/Root/Content/$count', { kind: 'count', path: '/Root/Content' }],
  ])('%s means %j', (path, meaning) => expect(parseAddress(path)).toEqual(meaning));

  it.each(['/', '/Root', '/odata.svcs/Root', '/xodata.svc'])('%s is none of ours', (path) => expect(parseAddress(path)).toBeUndefined());

  it.each([`/odata.svc/Root/%`, `/odata.svc/Root/%ff`, `/odata.svc/('Root')/a/b`, `/odata.svc/('Root')x`])('%s is refused', (path) => {
    expect(() => parseAddress(path)).toThrow(expect.objectContaining({ status: 400 }) as Error);
  });
});
