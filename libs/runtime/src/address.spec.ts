import { AddressTemplate } from './address.js';

describe('an address template', () => {
  it('finds the repository in the path and keeps the rest with its query', () => {
    const addresses = new AddressTemplate('http://localhost:4100/{repository}');
    expect(addresses.of('acme')).toBe('http://localhost:4100/acme');
    expect(addresses.find('anything', '/acme/connect/token?a=b')).toEqual({ slug: 'acme', rest: '/connect/token?a=b' });
    expect(addresses.find('anything', '/acme?a=b')).toEqual({ slug: 'acme', rest: '/?a=b' });
    expect(addresses.find('anything', '/acme')).toEqual({ slug: 'acme', rest: '/' });
  });

  it('finds the repository in the host, whatever its case', () => {
    const addresses = new AddressTemplate('https://{repository}.auth.example.com/');
    expect(addresses.of('acme')).toBe('https://acme.auth.example.com');
    expect(addresses.find('ACME.auth.example.com', '/jwks')).toEqual({ slug: 'acme', rest: '/jwks' });
  });

  it.each([
    ['evil.example.com', '/jwks'],
    ['acme.auth.example.com.evil.com', '/jwks'],
    ['a.b.auth.example.com', '/jwks'],
    [undefined, '/jwks'],
  ])('finds none when the host is %s', (host, url) => {
    expect(new AddressTemplate('https://{repository}.auth.example.com').find(host, url)).toBeUndefined();
  });

  it.each(['/', '', '/Acme/x', '/-acme', '/ac.me/jwks', '//acme'])('finds none in the path %p', (url) => {
    expect(new AddressTemplate('http://localhost:4100/{repository}').find('localhost:4100', url)).toBeUndefined();
  });

  it.each([
    'http://localhost',
    'ftp://{repository}',
    'http://{repository}/{repository}',
    'http://h/{repository}?q',
    'nonsense {repository}',
  ])('refuses the template %s', (template) => expect(() => new AddressTemplate(template)).toThrow(/^must/));
});
