export { IsNull, type EntityManager } from 'typeorm';
export type { Pool } from 'pg';
export { connectForChecks, Database, elsewhere, enterRepository, enterTenant, type DatabaseOptions, type Scope } from './database.js';
export { Listener, type ListenerOptions } from './listener.js';
export { isUnavailable, violatedConstraint } from './errors.js';
export { migrate } from './migrate.js';
export * from './entities/index.js';
export { isId, newId } from './new-id.js';
export { prepared } from './prepared.js';
