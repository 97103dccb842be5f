import { once } from 'node:events';
import { createServer } from 'node:net';
import { Complaint } from './complaint.js';

/** A port that something is going to listen on. */
export interface PortUse {
  port: number;
  /** Who needs it, for people. */
  use: string;
}

/**
 * Sees to it that every port is free, on IPv6 too: browsers try `localhost` there first and would reach another program.
 *
 * @throws Complaint that names every port that is not.
 */
export async function requireFreePorts(uses: PortUse[]): Promise<void> {
  const findings = await Promise.all(
    uses.map(async ({ port, use }) => {
      const codes = [await tryPort(port, '127.0.0.1'), await tryPort(port, '::1')];
      return { text: `${port} (${use})`, taken: codes.includes('EADDRINUSE'), forbidden: codes.includes('EACCES') };
    }),
  );
  const list = (kind: 'taken' | 'forbidden') => findings.filter((finding) => finding[kind]).map(({ text }) => text);
  const [taken, forbidden] = [list('taken'), list('forbidden')];
  if (taken.length > 0) {
    const [ports, them] = taken.length === 1 ? ['Port', 'it'] : ['Ports', 'them'];
    throw new Complaint(
      `${ports} ${taken.join(', ')} ${taken.length === 1 ? 'is' : 'are'} taken: stop what uses ${them}, or choose others with --port-base N.`,
    );
  }
  if (forbidden.length > 0) {
    throw new Complaint(`This account may not listen on ${forbidden.join(', ')}: choose ports of 1024 and more with --port-base N.`);
  }
}

async function tryPort(port: number, host: string): Promise<string | undefined> {
  const server = createServer();
  try {
    await once(server.listen({ port, host, exclusive: true }), 'listening');
    await new Promise((closed) => server.close(closed));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
