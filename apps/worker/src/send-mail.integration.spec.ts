import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mail, newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { sendMail } from '@latchkey/jobs';
import { folderMailer, type Mailer } from './mailer.js';
import { sendMails } from './send-mail.js';

const run = { lastAttempt: false, signal: new AbortController().signal };
const data = { url: 'https://example.com/hook', repository: 'acme', because: 'gone' as const, failingSince: '2026-01-01T00:00:00.000Z' };

let test: TestDatabase;
let folder: string;

beforeAll(async () => {
  test = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'latchkey-mail-'));
});
afterAll(async () => {
  await test.drop();
  await rm(folder, { recursive: true });
});

interface Person {
  role: string;
  email: string | null;
  enabled?: boolean;
}

/** A tenant with members who sign in at the console of another tenant, as they do. */
async function createTenant(people: Person[]): Promise<string> {
  const [tenantId, consoleTenantId, consoleId] = [newId(), newId(), newId()];
  for (const id of [tenantId, consoleTenantId]) await test.owner.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Acme')`, [id]);
  for (const [index, { role, email, enabled = true }] of people.entries()) {
    await test.owner.query(
      `INSERT INTO repository_users (repository_id, id, tenant_id, login_name, email, name, enabled) VALUES ($1, $2, $3, $4, $5, $4, $6)`,
      [consoleId, index + 1, consoleTenantId, `person${index}`, email, enabled],
    );
    await test.owner.query('INSERT INTO members (tenant_id, id, repository_id, user_id, role) VALUES ($1, $2, $3, $4, $5)', [
      tenantId,
      newId(),
      consoleId,
      index + 1,
      role,
    ]);
  }
  return tenantId;
}

const owner = { role: 'owner', email: 'owner@example.com' };

async function ask(tenantId: string): Promise<{ tenantId: string; mailId: string }> {
  const mailId = await test.database.transaction({ tenantId }, (tx) => sendMail(tx, tenantId, 'webhook.disabled', data));
  return { tenantId, mailId };
}

const stateOf = async ({ tenantId, mailId }: { tenantId: string; mailId: string }) => {
  const { attempts, sentAt, failedAt, lastError } = await test.database.read({ tenantId }, (tx) =>
    tx.findOneByOrFail(Mail, { tenantId, id: mailId }),
  );
  return { attempts, sent: sentAt !== null, failed: failedAt !== null, lastError };
};

const handler = (mailer: Mailer | undefined) => sendMails({ database: test.database, mailer, portalUrl: 'https://portal.example.com' });

describe('a mail to a tenant', () => {
  it('goes once, to its owners and super admins who can sign in and have an address, and to nobody else', async () => {
    const tenantId = await createTenant([
      owner,
      { role: 'super-admin', email: 'super@example.com' },
      { role: 'admin', email: 'admin@example.com' },
      { role: 'owner', email: 'disabled@example.com', enabled: false },
      { role: 'owner', email: null },
    ]);
    await createTenant([{ role: 'owner', email: 'stranger@example.com' }]);
    const mail = await ask(tenantId);
    const send = handler(await folderMailer(folder, 'Latchkey <latchkey@example.com>'));
    await send(mail, run);
    await rm(join(folder, `${mail.mailId}.eml`));
    await send(mail, run);
    expect(await readdir(folder)).toEqual([]);
    const again = await ask(tenantId);
    await send(again, run);
    const text = await readFile(join(folder, `${again.mailId}.eml`), 'utf8');
    expect(
      text
        .match(/[\w.]+@example\.com/g)!
        .filter((address) => !address.startsWith('latchkey'))
        .filter((one, at, all) => all.indexOf(one) === at),
    ).toEqual(expect.arrayContaining(['owner@example.com', 'super@example.com']));
    for (const other of ['admin@', 'disabled@', 'stranger@']) expect(text).not.toContain(other);
    expect(text).toContain('https://portal.example.com');
    expect(await stateOf(again)).toEqual({ attempts: 1, sent: true, failed: false, lastError: null });
  });

  it('is tried again when the mail server refuses it, and given up after the last time', async () => {
    const mail = await ask(await createTenant([owner]));
    const refuse = handler(() => Promise.reject(Object.assign(new Error('no'), { responseCode: 452 })));
    await expect(refuse(mail, run)).rejects.toThrow('The mail server answered 452');
    expect(await stateOf(mail)).toEqual({ attempts: 1, sent: false, failed: false, lastError: 'The mail server answered 452' });
    await expect(refuse(mail, { ...run, lastAttempt: true })).rejects.toThrow();
    expect(await stateOf(mail)).toMatchObject({ attempts: 2, failed: true });
    await refuse(mail, run);
    expect(await stateOf(mail)).toMatchObject({ attempts: 2 });
  });

  it.each([
    ['no mail is configured', [owner], false, 'No mail is configured: set SMTP_URL or MAIL_DIR'],
    ['there is nobody to tell', [{ role: 'viewer', email: 'viewer@example.com' }], true, 'No owner has an address'],
  ])('is given up at once, with the reason, when %s', async (_, people, configured, lastError) => {
    const mail = await ask(await createTenant(people));
    await handler(configured ? () => Promise.reject(new Error('not asked')) : undefined)(mail, run);
    expect(await stateOf(mail)).toEqual({ attempts: 1, sent: false, failed: true, lastError });
  });

  it('is nothing to another tenant', async () => {
    const mail = await ask(await createTenant([owner]));
    const strangers = await createTenant([{ role: 'owner', email: 'stranger@example.com' }]);
    await handler(() => Promise.reject(new Error('not asked')))({ ...mail, tenantId: strangers }, run);
    expect(await stateOf(mail)).toMatchObject({ attempts: 0 });
  });
});
