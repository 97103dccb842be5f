import { Blobs, ObjectStore } from '@latchkey/content';
import { Database } from '@latchkey/database';
import { startWorker } from '@latchkey/jobs/worker';
import { createLogger, loadConfig, measureProcess, releaseStartMemory, runMain, stopGracefully } from '@latchkey/runtime';
import { lookAfter } from './look-after-domains.js';
import { startCanary } from './canary.js';
import { configSchema, type Config } from './config.js';
import { deliverWebhook } from './deliver-webhook.js';
import { createHealthServer, listen } from './health.js';
import { fetchKeys } from './fetch-client-keys.js';
import { folderMailer, smtpMailer, type Mailer } from './mailer.js';
import { recoverJobs } from './recover-jobs.js';
import { remindOfCredentials } from './reminders.js';
import { sendMails } from './send-mail.js';
import { sweepRecords } from './sweep-records.js';
import { tellOfLogout } from './tell-of-logout.js';
import { tendKeys } from './tend-keys.js';

/** Started once per process; see `config.ts` for what it reads from the environment. */
async function main(): Promise<void> {
  const config = loadConfig(configSchema);
  measureProcess();
  const log = createLogger(config.NODE_NAME ?? 'worker', config.LOG_LEVEL);
  const database = await Database.connect({
    url: config.DATABASE_URL,
    poolSize: 4,
    applicationName: config.NODE_NAME ?? 'latchkey-worker',
  });
  const blobs = new Blobs(database, config.FILES_URL && (await ObjectStore.open(config.FILES_URL, 'FILES_URL')));
  const mailer = await makeMailer(config);
  if (!mailer) log.warn('no mail is sent: neither SMTP_URL nor MAIL_DIR is set');
  const worker = await startWorker({
    database,
    databaseUrl: config.DATABASE_URL,
    queue: { url: config.QUEUE_URL ?? config.DATABASE_URL, prefix: config.QUEUE_PREFIX },
    handlers: (queue) => ({
      'webhook.deliver': deliverWebhook({
        database,
        encryption: config.KEY_ENCRYPTION_KEYS,
        allowPrivateAddresses: config.WEBHOOK_ALLOW_PRIVATE_ADDRESSES,
        disableAfterDays: config.WEBHOOK_DISABLE_AFTER_DAYS,
      }),
      'mail.send': sendMails({
        database,
        mailer,
        portalUrl: config.PORTAL_URL,
        peppers: config.SECRET_PEPPERS,
        authorityUrls: config.AUTHORITY_URL_TEMPLATE,
      }),
      'logout.tell': tellOfLogout({
        database,
        encryption: config.KEY_ENCRYPTION_KEYS,
        authorityUrls: config.AUTHORITY_URL_TEMPLATE,
        allowPrivateAddresses: config.CLIENT_ALLOW_PRIVATE_ADDRESSES,
      }),
      'webhook.recover': recoverJobs({ database, queue, log }),
      'credentials.remind': remindOfCredentials({ database, log }),
      'client-keys.fetch': fetchKeys({ database, allowPrivateAddresses: config.CLIENT_ALLOW_PRIVATE_ADDRESSES, log }),
      'domains.look': lookAfter({ database, dnsServers: config.DNS_SERVERS, log }),
      'signing-keys.tend': tendKeys({ database, config, log }),
      'records.sweep': sweepRecords({ database, blobs, queue, log, auditDays: config.AUDIT_DAYS }),
    }),
    log,
    ...(config.NODE_NAME && { name: config.NODE_NAME }),
  });
  const canary = startCanary({
    database,
    peppers: config.SECRET_PEPPERS,
    authorityUrls: config.AUTHORITY_URL_TEMPLATE,
    repositoryUrls: config.REPOSITORY_URL_TEMPLATE,
    everySeconds: config.CANARY_SECONDS,
    log,
  });
  const health = createHealthServer({ database: () => database.ping(), queue: () => worker.ping() });
  stopGracefully(log, async () => {
    health.close();
    health.closeAllConnections();
    await Promise.all([worker.close(), canary.close()]);
    await database.close();
  });
  releaseStartMemory();
  await listen(health, config.HOST, config.PORT);
  log.info({ port: config.PORT }, 'working');
}

async function makeMailer({ SMTP_URL, MAIL_DIR, MAIL_FROM = 'Latchkey <latchkey@localhost>' }: Config): Promise<Mailer | undefined> {
  if (SMTP_URL) return smtpMailer(SMTP_URL, MAIL_FROM);
  return MAIL_DIR === undefined ? undefined : folderMailer(MAIL_DIR, MAIL_FROM);
}

runMain('worker', main);
