import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import { Module, StandardSchemaValidationPipe, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Problem } from '@latchkey/contracts';
import { Limiters } from '@latchkey/access';
import {
  ApiKeys,
  ClientKeys,
  Clients,
  ClientSecrets,
  CredentialCheck,
  RepositoryDirectory,
  RepositoryKeys,
  SigningKeys,
  TokenVerifier,
} from '@latchkey/credentials';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { connectForChecks, Database, warnOfConnections } from '@latchkey/database';
import { keepAliveMillis, nestLogger, type Logger } from '@latchkey/runtime';
import {
  audienceOf,
  AuditTrail,
  Canary,
  Console,
  CustomDomains,
  textRecords,
  IdentityProviders,
  Cutoffs,
  Logos,
  MemberCredentials,
  MemberInvitations,
  MemberAccounts,
  Members,
  Refusals,
  Repositories,
  OwnTenants,
  Slugs,
  TenantCredentials,
  TenantDeletion,
  TenantExport,
  TenantLimits,
  Tenants,
  UserFactors,
  Usage,
  Users,
  UserSessions,
  WebhookDeliveries,
  Webhooks,
} from '@latchkey/tenancy';
import { ApiKeysController } from './api-keys.controller.js';
import { AuditController } from './audit.controller.js';
import { Authentication } from './authentication.js';
import { BrandingController } from './branding.controller.js';
import { ClientsController } from './clients.controller.js';
import type { Config } from './config.js';
import { ConsoleController } from './console.controller.js';
import { DomainController } from './domain.controller.js';
import { CredentialsController } from './credentials.controller.js';
import { CanaryController, CutoffsController } from './cutoffs.controller.js';
import { IdentityProvidersController } from './identity-providers.controller.js';
import { HealthController } from './health.controller.js';
import { MeController } from './me.controller.js';
import { InvitationsController, MembersController } from './members.controller.js';
import { serveOpenApi } from './openapi.js';
import { ProblemPagesController } from './problem-pages.js';
import { ProblemFilter, validationProblem } from './problem-filter.js';
import { RepositoriesController } from './repositories.controller.js';
import { SlugsController } from './slugs.controller.js';
import { TenantController } from './tenant.controller.js';
import { MemberAccountsController } from './member-accounts.controller.js';
import { UserFactorsController } from './user-factors.controller.js';
import { TenantExportController } from './tenant-export.controller.js';
import { TenantsController } from './tenants.controller.js';
import { UsageController } from './usage.controller.js';
import { UsersController } from './users.controller.js';
import { WebhooksController } from './webhooks.controller.js';

/** A logo of 256 KiB, which takes a third more in base64. */
const bodyLimitBytes = 352 * 1024;

/** What the routes need, made once. */
interface Services {
  database: Database;
  authentication: Authentication;
  refusals: Refusals;
  close: () => Promise<void>;
  providers: { provide: unknown; useValue: unknown }[];
}

async function connect(config: Config, log: Logger): Promise<Services> {
  const { DATABASE_URL: url, SECRET_PEPPERS: peppers, KEY_ENCRYPTION_KEYS: encryption } = config;
  const applicationName = config.NODE_NAME ?? 'tenant-api';
  const database = await Database.connect({ url, applicationName, poolSize: config.DATABASE_POOL_SIZE });
  await warnOfConnections(database, config.DATABASE_POOL_SIZE, log);
  const checks = connectForChecks({ url, applicationName });
  const urls = {
    authorityUrls: config.AUTHORITY_URL_TEMPLATE,
    repositoryUrls: config.REPOSITORY_URL_TEMPLATE,
    tenantApiUrl: config.TENANT_API_URL,
  };
  const check = new CredentialCheck(checks);
  const verifier = new TokenVerifier({
    check,
    keys: new SigningKeys(database),
    issuerOf: (slug) => urls.authorityUrls.of(slug),
    audienceOf: (slug) => audienceOf(slug, urls),
  });
  const directory = new RepositoryDirectory(checks);
  const refusals = new Refusals(database, (error) => log.error({ err: error }, 'refusals could not be written to the audit trail'));
  const webhooks = new Webhooks(database, encryption);
  const cutoffs = new Cutoffs(database);
  const limiters = new Limiters({ url: config.LIMITS_URL, log });
  const limits = new TenantLimits(limiters);
  return {
    database,
    authentication: new Authentication(database, directory, verifier, config.TENANT_API_URL, refusals, peppers),
    refusals,
    close: async () => {
      limiters.close();
      await refusals.close();
      await checks.end();
      await database.close();
    },
    providers: [
      { provide: Database, useValue: database },
      { provide: CredentialCheck, useValue: check },
      { provide: Canary, useValue: new Canary(database) },
      { provide: Cutoffs, useValue: cutoffs },
      {
        provide: Console,
        useValue: new Console({ database, directory, authorityUrls: urls.authorityUrls, signUp: config.NEW_TENANTS === 'open' }),
      },
      { provide: Repositories, useValue: new Repositories({ database, peppers, encryption, ...urls }) },
      { provide: IdentityProviders, useValue: new IdentityProviders(database, encryption, urls.authorityUrls) },
      {
        provide: CustomDomains,
        useValue: new CustomDomains({
          database,
          urls: config.CUSTOM_DOMAIN_URL_TEMPLATE,
          ownUrls: [urls.authorityUrls.of('{repository}'), urls.repositoryUrls.of('{repository}'), urls.tenantApiUrl, config.PORTAL_URL],
          dns: textRecords(config.DNS_SERVERS),
        }),
      },
      { provide: Logos, useValue: new Logos(database, urls.authorityUrls) },
      { provide: RepositoryKeys, useValue: new RepositoryKeys(database, encryption) },
      { provide: ApiKeys, useValue: new ApiKeys(database, peppers) },
      { provide: Clients, useValue: new Clients(database, peppers) },
      { provide: ClientKeys, useValue: new ClientKeys(database) },
      { provide: ClientSecrets, useValue: new ClientSecrets(database, peppers) },
      { provide: UserSessions, useValue: new UserSessions(database) },
      { provide: UserFactors, useValue: new UserFactors(database) },
      { provide: Users, useValue: new Users(database, peppers, urls.authorityUrls, limits) },
      { provide: Refusals, useValue: refusals },
      { provide: AuditTrail, useValue: new AuditTrail(database, directory) },
      { provide: Members, useValue: new Members(database, directory) },
      { provide: MemberAccounts, useValue: new MemberAccounts(database, directory) },
      { provide: MemberInvitations, useValue: new MemberInvitations(database, peppers, directory, urls.authorityUrls, limits) },
      { provide: MemberCredentials, useValue: new MemberCredentials(database, peppers, directory) },
      { provide: TenantCredentials, useValue: new TenantCredentials(database, peppers, directory) },
      { provide: Tenants, useValue: new Tenants(database, webhooks) },
      { provide: OwnTenants, useValue: new OwnTenants({ database, directory, open: config.NEW_TENANTS !== 'operator' }) },
      { provide: TenantDeletion, useValue: new TenantDeletion(database, directory, cutoffs) },
      { provide: TenantExport, useValue: new TenantExport(database, directory) },
      { provide: Slugs, useValue: new Slugs(database) },
      { provide: Usage, useValue: new Usage(database, directory) },
      { provide: Webhooks, useValue: webhooks },
      { provide: WebhookDeliveries, useValue: new WebhookDeliveries(database, limits) },
    ],
  };
}

@Module({})
class TenantApi {}

/** Every route of the app. */
export const controllers = [
  HealthController,
  ApiKeysController,
  ProblemPagesController,
  ConsoleController,
  RepositoriesController,
  BrandingController,
  DomainController,
  IdentityProvidersController,
  ClientsController,
  UsersController,
  UserFactorsController,
  MemberAccountsController,
  CutoffsController,
  CanaryController,
  WebhooksController,
  TenantController,
  MembersController,
  InvitationsController,
  MeController,
  CredentialsController,
  AuditController,
  SlugsController,
  TenantExportController,
  TenantsController,
  UsageController,
];

/** Builds the app, ready to listen. Closing it closes its connections too. */
export async function createApp(config: Config, log: Logger): Promise<NestFastifyApplication> {
  const services = await connect(config, log);
  const module: DynamicModule = {
    module: TenantApi,
    controllers,
    providers: services.providers as DynamicModule['providers'] & object,
  };
  const problems = new ProblemFilter(log, config.TENANT_API_URL);
  const trustProxy = config.TRUSTED_PROXIES.length > 0 && config.TRUSTED_PROXIES;
  const adapter = new FastifyAdapter({
    trustProxy,
    bodyLimit: bodyLimitBytes,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    keepAliveTimeout: keepAliveMillis,
    // Of an address that cannot be read, or has a name that is too long to be one.
    frameworkErrors: (error: unknown, request: FastifyRequest, reply: FastifyReply) => problems.answer(error, request, reply),
  });
  const app = await NestFactory.create<NestFastifyApplication>(module, adapter, { logger: nestLogger(log), abortOnError: false });
  app.useGlobalFilters(problems);
  app.useGlobalGuards(services.authentication);
  app.useGlobalPipes(new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }));
  describeEveryAnswer(app, config, log);
  recordForbiddenCalls(app, services.refusals);
  serveOpenApi(app, config);
  if (config.PORTAL_DIR) {
    if (existsSync(join(config.PORTAL_DIR, 'index.html'))) await servePortal(app, config.PORTAL_DIR);
    else log.warn({ folder: config.PORTAL_DIR }, 'the portal is not served: there is no index.html in PORTAL_DIR');
  }
  app.getHttpAdapter().getInstance().addHook('onClose', services.close);
  return app;
}

/** Headers that every answer has, and one line in the log for each call: never its query, which may hold a credential. */
function describeEveryAnswer(app: NestFastifyApplication, config: Config, log: Logger): void {
  const authority = new URL(config.AUTHORITY_URL_TEMPLATE.of('console')).origin;
  // Logos come from the authorities of the repositories, each of which may have a host of its own.
  const logos = new URL(config.AUTHORITY_URL_TEMPLATE.of('any-repository')).origin.replace('any-repository', '*');
  const policy = `default-src 'self'; connect-src 'self' ${authority}; img-src 'self' data: ${logos}; style-src 'self' 'unsafe-inline'; frame-src ${authority}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'x-request-id': request.id,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'content-security-policy': policy,
      'cross-origin-opener-policy': 'same-origin',
    });
    // By the route, which can be addressed in other spellings: /%761/, or with scheme and host (RFC 9112 §3.2.2).
    if ((request.routeOptions.url ?? request.url).startsWith('/v1/')) void reply.header('cache-control', 'no-store');
    // No name of anything holds a NUL, and PostgreSQL takes none.
    if (/%00/.test(request.url)) throw new Problem('not-found', 'There is nothing at this address.');
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
        actor: request.actor?.id,
      },
      'call',
    );
  });
}

/** Whoever tries what their role or credential does not allow is in the audit trail, once a minute for each route. */
function recordForbiddenCalls(app: NestFastifyApplication, refusals: Refusals): void {
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('onResponse', async ({ actor, method, routeOptions }, reply) => {
      if (reply.statusCode !== 403 || !actor) return;
      const { tenantId, kind, id, call } = actor;
      const target = { kind: 'route', id: `${method} ${routeOptions.url ?? ''}` };
      refusals.record({ action: 'call.refused', tenantId, repositoryId: null, by: { kind, id }, target, reason: 'forbidden', call });
    });
}

/** The portal's files; every address that is no file is a page of the portal, which finds its own way. */
async function servePortal(app: NestFastifyApplication, root: string): Promise<void> {
  const fastify = app.getHttpAdapter().getInstance();
  // Files under assets/ have a hash of their content in their names; anything else may change with the next version.
  const setHeaders = (reply: FastifyReply, path: string) =>
    reply.header('cache-control', path.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache');
  await fastify.register(
    fastifyStatic as never,
    { root, prefix: '/', wildcard: false, index: ['index.html'], preCompressed: true, cacheControl: false, setHeaders } as never,
  );
  fastify.get('/*', (request, reply) => {
    const isPage = /text\/html/.test(request.headers.accept ?? '') && !request.url.startsWith('/v1/');
    if (!isPage) return void reply.callNotFound();
    return void (reply as unknown as { sendFile(name: string): void }).sendFile('index.html');
  });
}
