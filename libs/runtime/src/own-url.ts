import { networkInterfaces } from 'node:os';

/** Where other machines of the installation reach this process: the address it listens on, or if that is any, the machine's first. */
export function ownUrl(host: string, port: number): string {
  const address = isAny(host) ? (outwardAddress() ?? '127.0.0.1') : host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function outwardAddress(): string | undefined {
  const outward = Object.values(networkInterfaces()).flatMap((addresses) => addresses?.filter(({ internal }) => !internal) ?? []);
  // An IPv6 address of the link alone is no use without the name of the interface.
  const found = outward.find(({ family }) => family === 'IPv4') ?? outward.find(({ scopeid }) => scopeid === 0);
  return found?.address;
}
