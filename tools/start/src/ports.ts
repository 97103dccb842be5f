import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Complaint } from './complaint.js';

/** A port that something is going to listen on. */
export interface PortUse {
  port: number;
  /** Who needs it, for people. */
  use: string;
}

/** An app whose launcher is gone, and its ports, are gone within this. */
const patienceMillis = 5_000;

/**
 * Sees to it that every port is free, on IPv6 too: browsers try `localhost` there first and would reach another program.
 *
 * @param patientUntil if given, what a killed launcher may have left is waited for until it is raised: an app that it had just
 *   started, not yet recorded, or one whose last threads are still ending.
 * @throws Complaint that names every port that is not; AbortError when the waiting was ended.
 */
export async function requireFreePorts(uses: PortUse[], patientUntil?: AbortSignal): Promise<void> {
  const deadline = Date.now() + (patientUntil ? patienceMillis : 0);
  let findings = await lookAt(uses);
  while (findings.some(({ taken }) => taken) && Date.now() < deadline) {
    await wait(100, undefined, { signal: patientUntil });
    findings = await lookAt(uses);
  }
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

function lookAt(uses: PortUse[]): Promise<{ text: string; taken: boolean; forbidden: boolean }[]> {
  return Promise.all(
    uses.map(async ({ port, use }) => {
      const codes = [await tryPort(port, '127.0.0.1'), await tryPort(port, '::1')];
      return { text: `${port} (${use})`, taken: codes.includes('EADDRINUSE'), forbidden: codes.includes('EACCES') };
    }),
  );
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
