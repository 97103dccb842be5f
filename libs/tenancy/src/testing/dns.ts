import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { AUTHORITATIVE_ANSWER, decode, encode } from 'dns-packet';

/** A DNS server of one's own. */
export class TestDns {
  /** TXT records by name. */
  readonly records = new Map<string, string[]>();
  /** It hears and says nothing. */
  silent = false;
  readonly #socket: Socket = createSocket('udp4');
  address = '';

  /** @param port of this machine where it is asked; one that is free, without. */
  static async start(port = 0): Promise<TestDns> {
    const dns = new TestDns();
    dns.#socket.on('message', (message, from) => {
      if (dns.silent) return;
      const { id, questions = [] } = decode(message);
      const name = questions[0]?.name ?? '';
      const found = dns.records.get(name.toLowerCase());
      const answers = (found ?? []).map((data) => ({ type: 'TXT' as const, name, ttl: 0, data }));
      const answer = { type: 'response' as const, id: id ?? 0, questions, answers };
      // 3: there is no such name.
      dns.#socket.send(encode({ ...answer, flags: AUTHORITATIVE_ANSWER | (found ? 0 : 3) }), from.port, from.address);
    });
    await new Promise<void>((resolve) => void dns.#socket.bind(port, '127.0.0.1', resolve));
    dns.address = `127.0.0.1:${(dns.#socket.address() as AddressInfo).port}`;
    return dns;
  }

  close(): void {
    this.#socket.close();
  }
}
