/*
 * What the specifications demand of an OpenID provider, each test named by its clause, against the product as it runs. It is
 * started once for all of them (`subject.ts`).
 */
await import('./authorization.js');
await import('./discovery.js');
await import('./tokens.js');
