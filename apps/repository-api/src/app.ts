import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Blobs, ObjectStore } from '@latchkey/content';
import {
  CredentialCheck,
  issuersAtDomains,
  RepositoryDirectory,
  SigningKeys,
  TokenVerifier,
  UseRecorder,
  warnOfLackingPeppers,
} from '@latchkey/credentials';
import { connectForChecks, Database, warnOfConnections, type Pool } from '@latchkey/database';
import { keepAliveMillis, nestLogger, type Logger } from '@latchkey/runtime';
import { answerTo } from './answer.js';
import { Authentication } from './authentication.js';
import { CallRecorder } from './call-recorder.js';
import type { Config } from './config.js';
import { ContentService, send } from './content-service.js';
import { CrossOrigin } from './cross-origin.js';
import { FaultFilter } from './fault-filter.js';
import { HealthController } from './health.controller.js';
import { badRequest } from './odata/fault.js';
import { RateLimits } from './rate-limits.js';
import { ODataController } from './odata.controller.js';
import { isUpload } from './uploads.js';

/** The largest body: far more than all the fields of a content. */
const bodyLimitBytes = 2 * 1024 * 1024;

/** The app, and how it is started and stopped. */
export interface RepositoryApi {
  /** What every request with a credential asks. */
  readonly check: CredentialCheck;
  /** Takes requests on the configured ports. @returns the ports, since 0 means any. */
  listen(): Promise<{ port: number; nodePort: number | undefined }>;
  /** Those that take requests. */
  servers(): Server[];
  /** Finishes the requests under way, then closes the connections to the database. */
  close(): Promise<void>;
}

@Module({})
class RepositoryApiModule {}

/** The provider of the pool on which credentials are checked. */
const checksPool = Symbol('pool for checks');

async function connect(config: Config, connection: { url: string; applicationName: string }, log: Logger): Promise<Database> {
  const database = await Database.connect({ ...connection, poolSize: config.DATABASE_POOL_SIZE });
  await warnOfConnections(database, config.DATABASE_POOL_SIZE, log);
  await warnOfLackingPeppers(database, config.SECRET_PEPPERS, log);
  return database;
}

function moduleOf(config: Config, log: Logger): DynamicModule {
  const { AUTHORITY_URL_TEMPLATE: authorityUrls, REPOSITORY_URL_TEMPLATE: repositoryUrls } = config;
  const connection = { url: config.DATABASE_URL, applicationName: config.NODE_NAME ?? 'repository-api' };
  return {
    module: RepositoryApiModule,
    controllers: [HealthController, ODataController],
    providers: [
      { provide: Database, useFactory: () => connect(config, connection, log) },
      {
        provide: Blobs,
        inject: [Database],
        useFactory: async (database: Database) =>
          new Blobs(database, config.FILES_URL && (await ObjectStore.open(config.FILES_URL, 'FILES_URL'))),
      },
      { provide: RateLimits, inject: [Database], useFactory: (database: Database) => new RateLimits(database, config.LIMITS_URL, log) },
      { provide: checksPool, useFactory: () => connectForChecks(connection) },
      {
        provide: CredentialCheck,
        inject: [checksPool, Database],
        useFactory: (pool: Pool, database: Database) => new CredentialCheck(pool, { backlog: () => database.waiting }),
      },
      {
        provide: UseRecorder,
        inject: [checksPool],
        useFactory: (pool: Pool) => new UseRecorder(pool, (error) => log.error({ err: error }, 'uses could not be recorded')),
      },
      {
        provide: CallRecorder,
        inject: [checksPool],
        useFactory: (pool: Pool) => new CallRecorder(pool, (error) => log.error({ err: error }, 'calls could not be recorded')),
      },
      { provide: RepositoryDirectory, inject: [checksPool], useFactory: (pool: Pool) => new RepositoryDirectory(pool) },
      {
        provide: TokenVerifier,
        inject: [CredentialCheck, Database, RepositoryDirectory],
        useFactory: (check: CredentialCheck, database: Database, directory: RepositoryDirectory) =>
          new TokenVerifier({
            check,
            keys: new SigningKeys(database),
            issuerOf: (slug) => authorityUrls.of(slug),
            isIssuerOf: issuersAtDomains(directory, config.CUSTOM_DOMAIN_URL_TEMPLATE),
            // The console's tokens are for the tenant API, so they are not accepted here.
            audienceOf: (slug) => repositoryUrls.of(slug),
          }),
      },
      {
        provide: ContentService,
        inject: [Database, Blobs, RateLimits, RepositoryDirectory, CredentialCheck, TokenVerifier, UseRecorder, CallRecorder],
        useFactory: (
          database: Database,
          blobs: Blobs,
          rateLimits: RateLimits,
          directory: RepositoryDirectory,
          check: CredentialCheck,
          verifier: TokenVerifier,
          uses: UseRecorder,
          calls: CallRecorder,
        ) =>
          new ContentService({
            database,
            blobs,
            directory,
            authentication: new Authentication(check, verifier, config.SECRET_PEPPERS, uses),
            crossOrigin: new CrossOrigin(database),
            rateLimits,
            calls,
            repositoryUrls,
            authorityUrls,
            peppers: config.SECRET_PEPPERS,
            log,
          }),
      },
    ],
  };
}

/** Builds the app and connects it to the database. */
export async function createApp(config: Config, log: Logger): Promise<RepositoryApi> {
  const adapter = new FastifyAdapter({
    trustProxy: config.TRUSTED_PROXIES.length > 0 && config.TRUSTED_PROXIES,
    bodyLimit: bodyLimitBytes,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    keepAliveTimeout: keepAliveMillis,
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) =>
      send(reply, answerTo(badRequest('The address is not percent-encoded UTF-8.'), undefined) ?? { status: 400 }),
  });
  const app = await NestFactory.create<NestFastifyApplication>(moduleOf(config, log), adapter, {
    logger: nestLogger(log),
    abortOnError: false,
    bodyParser: false,
  });
  const fastify = app.getHttpAdapter().getInstance();
  takeAnyBody(fastify);
  describeEveryAnswer(fastify, log);
  app.useGlobalFilters(new FaultFilter(log));
  let ownServer: Server | undefined;
  return {
    check: app.get(CredentialCheck),
    async listen() {
      await app.listen({ host: config.HOST, port: config.PORT, reusePort: config.REUSE_PORT } as never);
      if (config.NODE_PORT !== undefined) ownServer = await listenBeside(fastify, config.HOST, config.NODE_PORT);
      return { port: portOf(app.getHttpServer()), nodePort: ownServer && portOf(ownServer) };
    },
    servers: () => [app.getHttpServer() as Server, ...(ownServer ? [ownServer] : [])],
    async close() {
      await Promise.all([app.close(), ownServer && closeServer(ownServer)]);
      await Promise.all([app.get(UseRecorder).close(), app.get(CallRecorder).close()]);
      app.get(RateLimits).close();
      await app.get<Pool>(checksPool).end();
      await app.get(Database).close();
    },
  };
}

/** What the framework is told that a file is. */
const fileType = 'application/x-file';

/** Existing clients send JSON as text/plain, or with no type at all, so the type is not looked at. */
function takeAnyBody(fastify: FastifyInstance): void {
  fastify.addHttpMethod('MERGE', { hasBody: true });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // A file is read only when it is known who sends it, and never whole.
  fastify.addContentTypeParser(fileType, (_request, payload, done) => done(null, payload));
  fastify.addHook('onRequest', async (request) => {
    request.sentType = request.headers['content-type'];
    if (isUpload(request.method, request.url)) {
      request.headers['content-type'] = fileType;
      return;
    }
    // The framework refuses a type that it cannot parse before it asks any parser.
    if (request.headers['content-type'] !== undefined) request.headers['content-type'] = 'application/octet-stream';
  });
}

/** Headers that every answer has, and one line in the log for each request: never its query, which may hold an API key. */
function describeEveryAnswer(fastify: FastifyInstance, log: Logger): void {
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': `default-src 'none'; frame-ancestors 'none'; sandbox`,
    });
  });
  fastify.addHook('onResponse', async (request, reply) => {
    const [path] = request.url.split('?');
    log.info(
      {
        requestId: request.id,
        method: request.method,
        path,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ...request.about,
      },
      'request',
    );
  });
}

/** A second listener of the same app, on a port of this process alone. */
function listenBeside(fastify: FastifyInstance, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ keepAliveTimeout: keepAliveMillis }, (request, response) => fastify.routing(request, response));
    server.once('error', reject);
    server.listen({ host, port }, () => resolve(server));
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
