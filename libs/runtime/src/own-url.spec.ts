import { isIP } from 'node:net';
import { ownUrl } from './own-url.js';

describe('the URL of a process', () => {
  it.each([
    ['127.0.0.1', 'http://127.0.0.1:4101'],
    ['localhost', 'http://localhost:4101'],
    ['::1', 'http://[::1]:4101'],
  ])('is the address that it listens on: %s', (host, url) => {
    expect(ownUrl(host, 4101)).toBe(url);
  });

  it.each(['0.0.0.0', '::'])('is an address of the machine when it listens on all: %s', (host) => {
    const { hostname, port } = new URL(ownUrl(host, 4101));
    expect([port, isIP(hostname.replace(/[[\]]/g, '')) > 0, hostname === host]).toEqual(['4101', true, false]);
  });
});
