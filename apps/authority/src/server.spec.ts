import type { AddressInfo } from 'node:net';
import { closeAll, listen } from './server.js';

describe('the server', () => {
  it('keeps an idle connection for longer than a load balancer does, on the shared port and on its own', async () => {
    const servers = await listen((_request, response) => response.end(), { host: '127.0.0.1', port: 0, reusePort: false, nodePort: 0 });
    for (const server of servers) {
      const { headers } = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      expect(headers.get('keep-alive')).toBe('timeout=72');
    }
    expect(servers).toHaveLength(2);
    await closeAll(servers);
  });
});
