import { createServer, type Server } from 'node:http';
import { exposeMetrics, readiness } from '@latchkey/runtime';

/**
 * Serves `/healthz` (the process is alive), `/readyz` (each dependency by name; 503 when one is unreachable) and `/metrics`
 * (the text format of Prometheus), and nothing else. It is for the inside: nothing in front of it asks who is calling.
 */
export function createHealthServer(dependencies: Record<string, () => Promise<unknown>>): Server {
  return createServer((request, response) => {
    answer(request.url, dependencies).then(
      ({ status, contentType, body }) => response.writeHead(status, { 'content-type': contentType }).end(body),
      () => response.writeHead(500).end(),
    );
  });
}

interface Answer {
  status: number;
  contentType: string;
  body: string;
}

async function answer(url: string | undefined, dependencies: Record<string, () => Promise<unknown>>): Promise<Answer> {
  if (url === '/healthz') return json(200, { status: 'ok' });
  if (url === '/metrics') return { status: 200, ...(await exposeMetrics()) };
  if (url !== '/readyz') return json(404, { status: 'not found' });
  const state = await readiness(dependencies);
  return json(state.ready ? 200 : 503, state);
}

function json(status: number, body: object): Answer {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}

/** Resolves when the server takes requests. @throws when the port is taken. */
export async function listen(server: Server, host: string, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen({ host, port }, resolve);
  await promise;
}
