import { request } from 'node:http';
import { decodeJwt } from 'jose';
import type { DomainView } from '@latchkey/contracts';
import { CustomDomains, lookAfterDomains, textRecords, type TextRecords } from '@latchkey/tenancy';
import { Customer } from './testing/customer.js';
import { TestDns } from '@latchkey/tenancy/testing';
import { fetchToken, startAuthority, type RunningAuthority } from './testing/running-authority.js';

let running: RunningAuthority;
let customer: Customer;
let dns: TestDns;
let records: TextRecords;
let domains: CustomDomains;
let names = 0;
let domain: string;

beforeAll(async () => {
  running = await startAuthority();
  dns = await TestDns.start();
  records = textRecords([dns.address]);
  const ownUrls = ['https://{repository}.auth.latchkey.dev', 'https://api.latchkey.dev'];
  domains = new CustomDomains({ database: running.database, urls: running.authority.domains, ownUrls, dns: records });
});
beforeEach(async () => {
  customer = await Customer.open(running);
  domain = `login-${++names}.customer.com`;
  dns.silent = false;
});
afterAll(async () => {
  dns.close();
  await running.close();
});

const set = (of = customer, name = domain) => domains.set(of.tenant.machine, of.slug, { domain: name });
const verify = (of = customer) => domains.verify(of.tenant.machine, of.slug);
const publish = ({ record }: DomainView) => dns.records.set(record.name, ['v=spf1 -all', record.value]);

/** Sends a request to the authority as a proxy in front of it does: under the name that the browser knows. */
async function at(host: string, path: string, body?: URLSearchParams, headers: Record<string, string> = {}) {
  const { port } = new URL(running.issuerOf('any'));
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    body: Record<string, string>;
    location: string;
    cookie: string;
  }>();
  const sent = request(
    { host: '127.0.0.1', port, path, method: body ? 'POST' : 'GET', headers: { host, accept: '*/*', ...headers } },
    (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => void (text += chunk.toString()));
      answer.on('end', () => {
        const json = /json/.test(answer.headers['content-type'] ?? '') ? (JSON.parse(text) as Record<string, string>) : {};
        resolve({
          status: answer.statusCode ?? 0,
          body: json,
          location: answer.headers.location ?? '',
          cookie: answer.headers['set-cookie']?.join('\n') ?? '',
        });
      });
    },
  );
  sent.on('error', reject);
  sent.end(body?.toString());
  return promise;
}

const discovery = (host: string) => at(host, '/.well-known/openid-configuration');
const token = (host: string) =>
  at(host, '/connect/token', new URLSearchParams({ grant_type: 'client_credentials' }), {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${btoa(`${customer.repository.toolClient.clientId}:${customer.repository.toolClient.secret.value}`)}`,
  });
describe('a domain of a tenant', () => {
  it('is an issuer of its own once the record is there: discovery, tokens and pages are at it, beside the address as ever', async () => {
    const view = await set();
    expect(view).toMatchObject({ status: 'pending', authorityUrl: null, record: { type: 'TXT', name: `_latchkey.${domain}` } });
    expect((await discovery(domain)).status).toBe(404);
    publish(view);
    expect(await verify()).toMatchObject({ status: 'verified', authorityUrl: `https://${domain}` });
    const { body } = await discovery(domain);
    expect(body).toMatchObject({
      issuer: `https://${domain}`,
      token_endpoint: `https://${domain}/connect/token`,
      jwks_uri: `https://${domain}/.well-known/jwks`,
    });
    const minted = await token(domain);
    expect(decodeJwt(minted.body['access_token'] ?? '').iss).toBe(`https://${domain}`);
    expect(((await (await fetch(`${customer.issuer}/.well-known/openid-configuration`)).json()) as { issuer: string }).issuer).toBe(
      customer.issuer,
    );
    const { parameters } = await customer.request(await customer.discover());
    const asked = new URLSearchParams({ ...parameters, client_id: customer.repository.appClient.clientId, response_type: 'code' });
    const sent = await at(domain, `/connect/authorize?${asked.toString()}`);
    expect([sent.status, sent.location.startsWith('/interaction/'), sent.cookie.includes('path=/;')]).toEqual([303, true, true]);
  });

  it('whose record is not there, or is another, or cannot be asked for, is not verified', async () => {
    const view = await set();
    await expect(verify()).rejects.toMatchObject({ type: 'conflict' });
    dns.records.set(view.record.name, [`${view.record.value}x`, 'latchkey-domain=']);
    await expect(verify()).rejects.toMatchObject({ type: 'conflict' });
    expect((await discovery(domain)).status).toBe(404);
  });

  it('is blocked for nobody by a claim that is not verified, and belongs to one repository once it is', async () => {
    const squatter = await Customer.open(running);
    await set(squatter);
    publish(await set());
    await verify();
    await expect(verify(squatter)).rejects.toMatchObject({ type: 'conflict' });
    // Even with both records, as a careless administrator of the domain may publish them.
    const [mine, theirs] = [
      await domains.get(customer.tenant.machine, customer.slug),
      await domains.get(squatter.tenant.machine, squatter.slug),
    ];
    dns.records.set(mine.record.name, [mine.record.value, theirs.record.value]);
    await expect(verify(squatter)).rejects.toMatchObject({ type: 'already-exists' });
    expect((await token(domain)).status).toBe(200);
  });

  it('that is given up or replaced is dead at once, with the tokens that were issued there and no others', async () => {
    publish(await set());
    await verify();
    const there = (await token(domain)).body['access_token'] ?? '';
    const here =
      (
        await fetchToken(
          `${customer.issuer}/connect/token`,
          customer.repository.toolClient.clientId,
          customer.repository.toolClient.secret.value,
        )
      ).body.access_token ?? '';
    const introspect = async (jwt: string) =>
      (await fetch(`${customer.issuer}/connect/introspect`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa(`${customer.repository.toolClient.clientId}:${customer.repository.toolClient.secret.value}`)}`,
        },
        body: new URLSearchParams({ token: jwt }),
      }).then((response) => response.json())) as { active: boolean };
    expect([(await introspect(there)).active, (await introspect(here)).active]).toEqual([true, true]);
    await domains.remove(customer.tenant.machine, customer.slug);
    expect([(await introspect(there)).active, (await introspect(here)).active]).toEqual([false, true]);
    expect((await discovery(domain)).status).toBe(404);
  });

  it('lets a proxy have a certificate for itself and for no other name', async () => {
    publish(await set());
    const ask = async (name: string) => (await at('localhost', `/tls-allowed?domain=${encodeURIComponent(name)}`)).status;
    expect(await ask(domain)).toBe(404);
    await verify();
    expect(await ask(domain)).toBe(200);
    for (const name of ['', 'localhost', '127.0.0.1', 'other.customer.com', `${domain}.evil.com`, `x.${domain}`, `${domain}\0`])
      expect([name, await ask(name)]).toEqual([name, 404]);
  });

  it('means nothing in a header that a stranger writes', async () => {
    publish(await set());
    await verify();
    const { body } = await at(domain, '/.well-known/openid-configuration', undefined, {
      'x-forwarded-host': 'evil.com',
      'x-forwarded-proto': 'http',
    });
    expect(body['issuer']).toBe(`https://${domain}`);
    for (const host of [`evil.com`, `${domain}.evil.com`, `evil.com:443`, `${domain}@evil.com`])
      expect([host, (await discovery(host)).status]).toEqual([host, 404]);
    // Another repository is not reached through it.
    const other = await Customer.open(running);
    expect((await at(domain, `/${other.slug}/.well-known/openid-configuration`)).status).toBe(404);
  });

  it('cannot be one of the installation', async () => {
    for (const name of ['latchkey.dev', 'auth.latchkey.dev', 'acme.auth.latchkey.dev', 'api.latchkey.dev'])
      await expect(set(customer, name)).rejects.toMatchObject({ type: 'conflict' });
  });

  it('whose record goes away is noted, works on, and is given up after 14 days; a DNS that is silent changes nothing', async () => {
    const view = await set();
    publish(view);
    await verify();
    dns.records.delete(view.record.name);
    dns.silent = true;
    const quick: TextRecords = { read: () => Promise.reject(new Error('silent')) };
    expect((await lookAfterDomains(running.database, quick)).lost).toEqual([]);
    dns.silent = false;
    expect((await lookAfterDomains(running.database, records)).lost).toContain(domain);
    expect(await domains.get(customer.tenant.machine, customer.slug)).toMatchObject({ status: 'lost' });
    expect((await discovery(domain)).status).toBe(200);
    publish(view);
    expect((await lookAfterDomains(running.database, records)).found).toContain(domain);
    dns.records.delete(view.record.name);
    await lookAfterDomains(running.database, records);
    await running.test.owner.query(`UPDATE custom_domains SET lost_since = now() - interval '15 days' WHERE domain = $1`, [domain]);
    expect((await lookAfterDomains(running.database, records)).givenUp).toContain(domain);
    expect((await discovery(domain)).status).toBe(404);
    const { rows: mails } = await running.test.owner.query<{ data: object }>(
      `SELECT data FROM mails WHERE tenant_id = $1 AND template = 'domain.lost' ORDER BY id`,
      [customer.tenant.id],
    );
    const [later, never] = [expect.any(String) as string, null];
    const told = { domain, repository: customer.slug, record: view.record.name };
    expect(mails.map(({ data }) => data)).toEqual([later, later, never].map((givenUpAt) => ({ ...told, givenUpAt })));
    const { rows } = await running.test.owner.query<{ action: string }>(
      `SELECT action FROM audit_events WHERE repository_id = $1 AND action LIKE 'domain.%' ORDER BY at`,
      [customer.repository.id],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      'domain.set',
      'domain.verified',
      'domain.lost',
      'domain.found',
      'domain.lost',
      'domain.given-up',
    ]);
  });

  it('that is given up while the records are looked at is lost by nobody: no mail and no word in the audit trail', async () => {
    publish(await set());
    await verify();
    const slow: TextRecords = {
      read: async (name) => {
        if (name.endsWith(domain)) await domains.remove(customer.tenant.machine, customer.slug);
        return [];
      },
    };
    expect((await lookAfterDomains(running.database, slow)).lost).not.toContain(domain);
    const { rows } = await running.test.owner.query<{ said: string }>(
      `SELECT template AS said FROM mails WHERE tenant_id = $1 AND template = 'domain.lost'
       UNION ALL SELECT action FROM audit_events WHERE repository_id = $2 AND action = 'domain.lost'`,
      [customer.tenant.id, customer.repository.id],
    );
    expect(rows).toEqual([]);
  });
});
