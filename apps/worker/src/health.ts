import { createServer, type Server } from 'node:http';
import { readiness } from '@latchkey/runtime';

/**
 * Serves `/healthz` (the process is alive) and `/readyz` (each dependency by name; 503 when one is unreachable), and
 * nothing else.
 */
export function createHealthServer(dependencies: Record<string, () => Promise<unknown>>): Server {
  return createServer((request, response) => {
    answer(request.url, dependencies).then(
      ({ status, body }) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      () => response.writeHead(500).end(),
    );
  });
}

async function answer(
  url: string | undefined,
  dependencies: Record<string, () => Promise<unknown>>,
): Promise<{ status: number; body: object }> {
  if (url === '/healthz') return { status: 200, body: { status: 'ok' } };
  if (url !== '/readyz') return { status: 404, body: { status: 'not found' } };
  const state = await readiness(dependencies);
  return { status: state.ready ? 200 : 503, body: state };
}

/** Resolves when the server takes requests. @throws when the port is taken. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen({ host, port }, resolve);
  await promise;
}
