import * as client from 'openid-client';
import { Browser, hiddenField } from './testing/browser.js';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* A command line that signs somebody in through a browser elsewhere (RFC 8628), with a published client. */

let running: RunningAuthority;
let customer: Customer;
let app: client.Configuration;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  await customer.repositories.update(customer.tenant.machine, customer.slug, { deviceFlow: true });
  app = await customer.discover();
});
afterAll(() => running.close());

const ask = () => client.initiateDeviceAuthorization(app, { scope: 'openid offline_access sensenet' });
const poll = async (device: client.DeviceAuthorizationResponse) =>
  client.genericGrantRequest(app, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code });

/** Enters a code by hand. @returns the page that follows. */
async function enter(browser: Browser, code: string): Promise<{ html: string; status: number }> {
  const html = await (await browser.go(`${customer.issuer}/device`)).text();
  const answer = await browser.go(`${customer.issuer}/device`, { xsrf: hiddenField(html, 'xsrf'), user_code: code });
  return { html: await answer.text(), status: answer.status };
}

async function answer(browser: Browser, code: string, choice: 'confirm' | 'abort') {
  const { html } = await enter(browser, code);
  const form = { xsrf: hiddenField(html, 'xsrf'), user_code: hiddenField(html, 'user_code'), [choice]: 'yes' };
  const next = await browser.go(`${customer.issuer}/device`, form);
  const location = next.headers.get('location');
  if (location === null) return next.text();
  const { page } = await customer.visit(browser, new URL(location, customer.issuer));
  return page?.text();
}

describe('a device', () => {
  it('whose person comes back from no sign-in of ours is sent to where codes are entered', async () => {
    const browser = new Browser(running);
    const { url } = await customer.request(app);
    await browser.follow(url, (at) => !at.pathname.includes('/interaction/'));
    for (const uid of ['x', '%00', 'a'.repeat(43)]) {
      const answer = await browser.go(`${customer.issuer}/device/${uid}`);
      expect([uid, answer.status, answer.headers.get('location')]).toEqual([uid, 303, `${customer.issuer}/device`]);
    }
  });

  it('gets tokens once its code is entered, confirmed and signed in with, and goes on with a refresh token', async () => {
    const device = await ask();
    expect(device).toMatchObject({ verification_uri: `${customer.issuer}/device`, expires_in: 600 });
    expect(device.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    await expect(poll(device)).rejects.toMatchObject({ error: 'authorization_pending' });

    const browser = new Browser(running);
    const { html } = await enter(browser, device.user_code.toLowerCase().replace('-', ' '));
    expect(html).toContain(device.user_code);
    expect(html).toContain('Only go on if you started this yourself');
    expect(await answer(browser, device.user_code, 'confirm')).toContain('Your device is signed in');

    const tokens = await poll(device);
    expect(tokens.claims()?.sub ?? String(customer.anna.id)).toBe(String(customer.anna.id));
    expect(await client.fetchUserInfo(app, tokens.access_token, String(customer.anna.id))).toMatchObject({ sub: String(customer.anna.id) });
    expect((await client.refreshTokenGrant(app, tokens.refresh_token ?? '')).access_token).toBeDefined();
    await expect(poll(device)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  it('finds its code filled in by the complete address, and still asks', async () => {
    const device = await ask();
    const browser = new Browser(running);
    const page = await (await browser.go(device.verification_uri_complete ?? '')).text();
    const next = await browser.go(`${customer.issuer}/device`, {
      xsrf: hiddenField(page, 'xsrf'),
      user_code: hiddenField(page, 'user_code'),
    });
    expect(await next.text()).toContain('Is this your device?');
    await expect(poll(device)).rejects.toMatchObject({ error: 'authorization_pending' });
  });

  it('is told when somebody says no', async () => {
    const device = await ask();
    expect(await answer(new Browser(running), device.user_code, 'abort')).toContain('was not signed in');
    await expect(poll(device)).rejects.toMatchObject({ error: 'access_denied' });
  });

  it('is nothing to another client or another repository', async () => {
    const device = await ask();
    await answer(new Browser(running), device.user_code, 'confirm');
    const other = await Customer.open(running);
    await other.repositories.update(other.tenant.machine, other.slug, { deviceFlow: true });
    const elsewhere = await other.discover();
    await expect(
      client.genericGrantRequest(elsewhere, 'urn:ietf:params:oauth:grant-type:device_code', { device_code: device.device_code }),
    ).rejects.toMatchObject({ error: 'invalid_grant' });
    const page = await (await new Browser(running).go(`${other.issuer}/device`)).text();
    expect(page).not.toContain(device.user_code);
    expect((await poll(device)).access_token).toBeDefined();
  });

  it('gets nothing where the repository does not want it', async () => {
    const other = await Customer.open(running);
    const elsewhere = await other.discover();
    expect(elsewhere.serverMetadata().device_authorization_endpoint).toBeUndefined();
    const answer = await fetch(`${other.issuer}/connect/deviceauthorization`, {
      method: 'POST',
      body: new URLSearchParams({ client_id: other.repository.appClient.clientId, scope: 'openid' }),
    });
    expect(answer.status).toBe(404);
  });
});

describe('a code', () => {
  it('is taken from a form of ours alone', async () => {
    const device = await ask();
    const stranger = new Browser(running);
    const first = await stranger.go(`${customer.issuer}/device`, { user_code: device.user_code, confirm: 'yes' });
    expect([first.status, new URL(first.headers.get('location') ?? '', `${customer.issuer}/device`).href]).toEqual([
      303,
      `${customer.issuer}/device`,
    ]);
    await stranger.go(`${customer.issuer}/device`);
    const second = await stranger.go(`${customer.issuer}/device`, { user_code: device.user_code, confirm: 'yes', xsrf: 'made up' });
    expect([second.status, await second.text()]).toEqual([400, expect.not.stringContaining('signed in')]);
    await expect(poll(device)).rejects.toMatchObject({ error: 'authorization_pending' });
  });

  it('that is wrong, used or missing is told so; guessing is slowed', async () => {
    const browser = new Browser(running);
    expect((await enter(browser, '')).html).toContain('Enter the code.');
    const device = await ask();
    await answer(browser, device.user_code, 'confirm');
    expect((await enter(browser, device.user_code)).html).toContain('used already');
    expect((await enter(browser, 'BBBB-BBBB')).html).toContain('There is no such code');
    for (let i = 0; i < 12; i++) await enter(browser, 'BBBB-BBBC');
    const fresh = await ask();
    const slowed = [await enter(browser, 'BBBB-BBBB'), await enter(browser, fresh.user_code)];
    expect(slowed.map(({ status }) => status)).toEqual([429, 429]);
    expect(slowed[0]?.html).toContain('Wait a minute');
    // Nor is a right one that is confirmed or denied in the same breath, as no page of ours does.
    for (const choice of ['confirm', 'abort']) {
      const page = await (await browser.go(`${customer.issuer}/device`)).text();
      const form = { xsrf: hiddenField(page, 'xsrf'), user_code: fresh.user_code, [choice]: 'yes' };
      expect((await browser.go(`${customer.issuer}/device`, form)).status).toBe(429);
    }
    await expect(poll(fresh)).rejects.toMatchObject({ error: 'authorization_pending' });
  });
});
