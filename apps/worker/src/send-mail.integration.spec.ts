import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findLink, KeyRing, orderLink } from '@latchkey/credentials';
import { Mail, newId } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { sendMail } from '@latchkey/jobs';
import { addressTemplate } from '@latchkey/runtime';
import { folderMailer, type Mailer, type Message } from './mailer.js';
import { sendMails } from './send-mail.js';

const run = { id: newId(), lastAttempt: false, signal: new AbortController().signal };
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

const peppers = KeyRing.parse(`k1:${Buffer.alloc(32, 7).toString('base64')}`);
const authorityUrls = addressTemplate.parse('https://{repository}.auth.example.com');
const handler = (mailer: Mailer | undefined) =>
  sendMails({ database: test.database, mailer, portalUrl: 'https://portal.example.com', peppers, authorityUrls });

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

  it('to one person goes to that person alone, with a link that was made as it was sent and is kept nowhere', async () => {
    const tenantId = await createTenant([owner]);
    const repositoryId = newId();
    await test.owner.query('INSERT INTO repository_slugs (slug, repository_id, tenant_id) VALUES ($1, $2, $3)', [
      'acme',
      repositoryId,
      tenantId,
    ]);
    await test.owner.query(
      `INSERT INTO repositories (tenant_id, id, slug, name, environment) VALUES ($1, $2, 'acme', 'Acme "lk_live_cs_${'a'.repeat(43)}_abcdef"', 'production')`,
      [tenantId, repositoryId],
    );
    await test.owner.query(
      `INSERT INTO repository_users (repository_id, id, tenant_id, login_name, email, name) VALUES ($1, 1000, $2, 'anna', 'anna@example.com', 'Anna')`,
      [repositoryId, tenantId],
    );
    const to = { name: 'Anna', address: 'anna@example.com' };
    const mail = await test.database.transaction({ tenantId, repositoryId }, async (tx) => {
      const order = { repositoryId, tenantId, purpose: 'new-password' as const, address: to.address, user: { id: 1000, generation: 1 } };
      const linkId = await orderLink(tx, peppers, order);
      const told = { to, language: 'de' as const, repositoryId, loginName: 'anna', linkId };
      return { tenantId, mailId: await sendMail(tx, tenantId, 'person.new-password', told) };
    });
    const sent: Message[] = [];
    const send = handler((message) => Promise.resolve(void sent.push(message)));
    await expect(handler(() => Promise.reject(new Error('busy')))(mail, run)).rejects.toThrow();
    await send(mail, run);
    await send(mail, run);
    expect(sent).toHaveLength(1);
    const [{ text, subject, to: recipients }] = sent as [Message];
    expect(recipients).toEqual([to]);
    expect(subject).toContain('[secret]');
    const [, token = ''] = /https:\/\/acme\.auth\.example\.com\/new-password\/([0-9a-f]{72})\n/.exec(text) ?? [];
    const opened = await test.database.read({ repositoryId }, (tx) => findLink(tx, peppers, repositoryId, 'new-password', token));
    expect(opened?.userId).toBe(1000);
    const { rows } = await test.owner.query<{ row: string }>(
      `SELECT to_jsonb(l)::text || to_jsonb(m)::text AS row FROM mailed_links l, mails m`,
    );
    for (const part of [token, token.slice(32)]) expect(rows.map(({ row }) => row).join('')).not.toContain(part);
  });

  it('with a link is given up once the link was used or has run out', async () => {
    const { rows } = await test.owner.query<{ repository_id: string; tenant_id: string; id: string }>(
      'SELECT repository_id, tenant_id, id FROM mailed_links',
    );
    const [{ repository_id: repositoryId, tenant_id: tenantId, id: linkId }] = rows as [(typeof rows)[0]];
    await test.owner.query('UPDATE mailed_links SET used_at = now()');
    const told = { to: { name: 'Anna', address: 'anna@example.com' }, language: 'en' as const, repositoryId, loginName: 'anna', linkId };
    const mailId = await test.database.transaction({ tenantId }, (tx) => sendMail(tx, tenantId, 'person.new-password', told));
    await handler(() => Promise.reject(new Error('not asked')))({ tenantId, mailId }, run);
    expect(await stateOf({ tenantId, mailId })).toEqual({
      attempts: 1,
      sent: false,
      failed: true,
      lastError: 'The link was used or has run out',
    });
  });

  it('is nothing to another tenant', async () => {
    const mail = await ask(await createTenant([owner]));
    const strangers = await createTenant([{ role: 'owner', email: 'stranger@example.com' }]);
    await handler(() => Promise.reject(new Error('not asked')))({ ...mail, tenantId: strangers }, run);
    expect(await stateOf(mail)).toMatchObject({ attempts: 0 });
  });
});
