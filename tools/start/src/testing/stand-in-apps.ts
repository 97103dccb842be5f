/* Programs of a few lines in the place of our apps, for the tests of the launcher. */

/** Answers /readyz, tells its environment at /, dies on /die, and stops as our apps do. */
export const app = `
  import { createServer } from 'node:http';
  const stop = () => setTimeout(() => process.exit(0), 50);
  process.on('SIGTERM', stop).on('SIGINT', () => console.log('{"level":50,"msg":"got SIGINT"}')).on('disconnect', stop);
  const serve = (port) => createServer((request, response) => {
    if (request.url === '/die') process.exit(7);
    if (request.url === '/hang') process.removeAllListeners('disconnect').removeAllListeners('SIGTERM').on('SIGTERM', () => {});
    if (request.url === '/complain') console.log('{"level":50,"msg":"request failed"}\\n{"level":30,"msg":"fine"}');
    response.end(JSON.stringify(process.env));
  }).listen({ port, host: '127.0.0.1', reusePort: process.env.REUSE_PORT === 'true' });
  serve(Number(process.env.PORT));
  if (process.env.NODE_PORT) serve(Number(process.env.NODE_PORT));`;

/** Makes the first tenant once per folder, as the real one does once per database. */
export const setup = `
  import { existsSync, writeFileSync } from 'node:fs';
  const done = process.env.STAND_IN_DIR + '/set-up';
  const credential = { tokenUrl: 'http://t', clientId: 'first-client', clientSecret: 'shown-once', tenantApiUrl: process.env.TENANT_API_URL };
  const first = existsSync(done) ? null : { ownerLink: 'http://owner', credential };
  writeFileSync(done, process.env.DATABASE_OWNER_URL);
  console.log(JSON.stringify({ first }));`;
