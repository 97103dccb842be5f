import pg from 'pg';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { entities } from './entities/index.js';
import { translated } from './errors.js';
import { SnakeCaseNaming } from './naming.js';
import { beginOf, endOf, nameOf, send } from './prepared.js';

/**
 * Whose rows a transaction may see and write. With both a tenant and a repository a row must belong to both.
 * `system` sees everything: for the worker, provisioning and finding out who is calling, and for nothing else.
 */
export type Scope = 'system' | { tenantId: string; repositoryId?: string } | { repositoryId: string };

export interface DatabaseOptions {
  /** Connection string of a login that is a member of the roles it will use. */
  url: string;
  /** Connections that transactions of one role may hold at most. */
  poolSize?: number;
  /** Name in `pg_stat_activity`. */
  applicationName?: string;
}

/** The roles that the migrations make; see the first migration for what each may do. */
export type DatabaseRole = 'latchkey_app' | 'latchkey_system' | 'latchkey_check';

const connectMillis = 5_000;

const beginRead = 'START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET LOCAL enable_seqscan = on';

/** Connections on which a process checks credentials. Each carries a whole batch of questions at a time. */
export const checksPoolSize = 2;

/**
 * What makes a connection act as one of our roles, in our schema, against the primary only.
 *
 * Plans are kept for as long as their connection, those of foreign keys too. One that was made while a table was small must not
 * read it whole when it has grown, so no plan does where there is an index. `read` lifts this.
 */
function connectionOptions(options: DatabaseOptions, role: DatabaseRole) {
  return {
    options: `-c role=${role} -c search_path=latchkey -c enable_seqscan=off`,
    application_name: options.applicationName ?? 'latchkey',
    connectionTimeoutMillis: connectMillis,
    keepAlive: true,
  };
}

/** Access to PostgreSQL: transactions that are bound to a scope, so that row-level security decides what they see. */
export class Database {
  readonly #app: DataSource;
  readonly #system: DataSource;

  private constructor(app: DataSource, system: DataSource) {
    this.#app = app;
    this.#system = system;
  }

  /** Connects. @throws when the server cannot be reached or the login is not a member of our roles. */
  static async connect(options: DatabaseOptions): Promise<Database> {
    const source = (role: DatabaseRole) =>
      new DataSource({
        type: 'postgres',
        url: options.url,
        schema: 'latchkey',
        entities,
        namingStrategy: new SnakeCaseNaming(),
        extra: { ...connectionOptions(options, role), max: options.poolSize ?? 8, pipeline: true },
      });
    const database = new Database(source('latchkey_app'), source('latchkey_system'));
    await database.#app.initialize();
    await database.#system.initialize();
    return database;
  }

  /**
   * Runs `work` in one transaction that sees only the rows of `scope`. It commits when `work` resolves and rolls back
   * when it throws; what was thrown is thrown on, and as a Problem `quota-exceeded` where the plan's limits would be passed.
   *
   * Cost: one round trip besides those of `work`, for the commit.
   */
  async transaction<T>(scope: Scope, work: (tx: EntityManager) => Promise<T>): Promise<T> {
    const begin = (connection: pg.PoolClient) => connection.query(`START TRANSACTION; ${enterScope(scope)}`);
    return this.#run(scope, begin, work, async (runner) => {
      await runner.commitTransaction();
      await runner.release();
    });
  }

  /**
   * Like `transaction`, for work that changes nothing: the server refuses a write. All of it sees things as they were when it
   * began, so that a count and the page beside it agree, and a permission and what it lets through.
   *
   * Tables may be read whole: a search of a million contents is planned by what there is, and shared among the server's processors.
   *
   * Cost: no round trip besides those of `work`; nobody waits for the end of a transaction that has nothing to keep.
   */
  async read<T>(scope: Scope, work: (tx: EntityManager) => Promise<T>): Promise<T> {
    const begin = (connection: pg.PoolClient) => send(connection, `${beginRead}; ${enterScope(scope)}`);
    return this.#run(scope, begin, work, async (runner) => {
      // Whoever has the connection next sends right behind it. When it cannot even end, the connection is lost for them too.
      const connection = (await runner.connect()) as pg.PoolClient;
      send(connection, 'COMMIT').catch(() => undefined);
      await runner.release();
    });
  }

  /**
   * The first statement of `work` is sent with those that begin the transaction and enter its scope, before these are
   * answered: connections are pipelined, and PostgreSQL takes what it is sent in that order. Should the beginning fail, the
   * rest finds no scope, so that row-level security shows it nothing, and what `work` came to is thrown away. TypeORM would
   * wait for a statement of its own, so it is told that it has begun.
   */
  async #run<T>(
    scope: Scope,
    begin: (connection: pg.PoolClient) => Promise<unknown>,
    work: (tx: EntityManager) => Promise<T>,
    end: (runner: QueryRunner) => Promise<void>,
  ): Promise<T> {
    const runner = (scope === 'system' ? this.#system : this.#app).createQueryRunner();
    try {
      const connection = (await runner.connect()) as pg.PoolClient;
      const begun = begin(connection);
      beginOf(runner, connection);
      begun.catch(() => undefined); // It is waited for below, unless `work` fails before.
      Object.assign(runner, { isTransactionActive: true, transactionDepth: 1 });
      const [result] = await Promise.all([work(runner.manager), begun]);
      endOf(runner);
      await end(runner);
      return result;
    } catch (error) {
      endOf(runner);
      // What went wrong is what is thrown; a rollback that fails too has lost its connection.
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      await runner.release();
      throw translated(error);
    }
  }

  /**
   * Runs one statement as a transaction of its own that sees only the rows of `scope`: beginning, statement and commit are
   * sent together, and it resolves when it has committed. One round trip.
   *
   * @param text one of a few fixed texts, as for `prepared`.
   */
  async statement<Row>(scope: Scope, text: string, values: unknown[]): Promise<Row[]> {
    const runner = (scope === 'system' ? this.#system : this.#app).createQueryRunner();
    try {
      const connection = (await runner.connect()) as pg.PoolClient;
      // After a statement that failed the commit is a rollback; all have been answered before the connection is given back.
      const [begun, done, ended] = await Promise.allSettled([
        send(connection, `START TRANSACTION; ${enterScope(scope)}`),
        send(connection, { name: nameOf(text), text, values }),
        send(connection, 'COMMIT'),
      ]);
      for (const part of [begun, done, ended]) if (part.status === 'rejected') throw part.reason;
      return (done as PromiseFulfilledResult<pg.QueryResult>).value.rows as Row[];
    } catch (error) {
      throw translated(error);
    } finally {
      await runner.release();
    }
  }

  /**
   * Calls a function of the database that enters its scope by itself and is a transaction of its own: one round trip. The
   * statement is planned once for each connection and remembered.
   *
   * @param text one of a few fixed texts, as for `prepared`.
   */
  async call<Row>(text: string, values: unknown[]): Promise<Row[]> {
    const { rows } = await this.#appPool.query({ name: nameOf(text), text, values });
    return rows as Row[];
  }

  /** How many transactions of the app wait for a connection. */
  get waiting(): number {
    return this.#appPool.waitingCount;
  }

  get #appPool(): pg.Pool {
    return (this.#app.driver as unknown as { master: pg.Pool }).master;
  }

  /** Resolves when the primary answers. @throws when it does not, or it is a replica: that may not have heard yet of a cut-off. */
  async ping(): Promise<void> {
    const [server] = await this.#app.query<{ replica: boolean }[]>('SELECT pg_is_in_recovery() AS replica');
    if (server?.replica) throw new Error('DATABASE_URL leads to a replica');
  }

  async close(): Promise<void> {
    await this.#app.destroy();
    await this.#system.destroy();
  }
}

/** Narrows the running transaction of one repository to what belongs to one tenant as well. */
export async function enterTenant(tx: EntityManager, tenantId: string): Promise<void> {
  await tx.query(`SELECT set_config('app.tenant_id', $1, true)`, [tenantId]);
}

/** Does a part of a transaction of one tenant in the scope of a repository of another: for the account of a member, at the console. */
export async function elsewhere<T>(
  tx: EntityManager,
  { tenantId, repositoryId }: { tenantId: string; repositoryId: string },
  work: () => Promise<T>,
): Promise<T> {
  const go = `SELECT set_config('app.tenant_id', $1, true), set_config('app.repository_id', $2, true)`;
  const [here] = await tx.query<{ tenant: string; repository: string }[]>(
    `SELECT current_setting('app.tenant_id') AS tenant, current_setting('app.repository_id') AS repository`,
  );
  await tx.query(go, [tenantId, repositoryId]);
  // Whatever throws ends the transaction, so that there is nowhere to go back to.
  const done = await work();
  await tx.query(go, [here?.tenant, here?.repository]);
  return done;
}

/**
 * The statements that narrow a transaction to its scope. Ids are written into them, because several statements take no parameters;
 * and they are no queries, which would be planned.
 */
function enterScope(scope: Scope): string {
  if (scope === 'system') return '';
  const [tenantId, repositoryId] = [('tenantId' in scope && scope.tenantId) || '', scope.repositoryId ?? ''].map(pg.escapeLiteral);
  return `SET LOCAL app.tenant_id = ${tenantId}; SET LOCAL app.repository_id = ${repositoryId}`;
}

/**
 * A pool whose connections can call the check functions and nothing else. The hot paths keep prepared statements on it.
 */
export function connectForChecks(options: DatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize ?? checksPoolSize,
    ...connectionOptions(options, 'latchkey_check'),
  });
  // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
  pool.on('error', () => undefined);
  return pool;
}
