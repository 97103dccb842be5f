import { askedOf, Authenticator } from '../../testing/authenticator.js';
import type { Browser } from '../../testing/browser.js';
import { People } from '../../testing/people.js';
import { startAuthority, type RunningAuthority } from '../../testing/running-authority.js';
import { App, codesOf, factsOf, Journey } from '../../testing/sign-in-journey.js';

let running: RunningAuthority;
let people: People;
let anna: Browser;

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());
beforeEach(async () => {
  people = await People.of(running);
  anna = people.browser();
  await people.openAccount(anna);
});

const act = async (action: string, form: Record<string, string> = {}) => {
  const response = await people.act(anna, action, form);
  return { status: response.status, html: await response.text(), location: response.headers.get('location') };
};
const told = async () =>
  (await people.mails()).flatMap(({ template, data }) =>
    template === 'person.factors' ? [(data as unknown as { what: string }).what] : [],
  );
const ceremony = () => ({ origin: new URL(people.customer.issuer).origin, rpId: 'localhost' });

async function addApp(): Promise<{ app: App; codes: string[] }> {
  const app = new App((await act('totp')).html);
  return { app, codes: codesOf((await act('totp-add', { code: app.code() })).html) };
}

describe('second factors on the page of an account', () => {
  it('are changed by nobody who signed in with the password alone, be it before there was one', async () => {
    const earlier = people.browser();
    await people.openAccount(earlier);
    await addApp();
    for (const action of ['totp-remove', 'passkey', 'recovery-codes', 'email']) {
      const response = await people.act(earlier, action);
      expect([action, response.status, response.headers.get('location')]).toEqual([action, 303, expect.stringContaining('prompt=login')]);
    }
    expect(await people.openAccount(earlier)).not.toContain('totp-remove');
    // Whoever added it has proved it, to apps too.
    const journey = new Journey(people.customer);
    anna.cookies.forEach((value, name) => journey.browser.cookies.set(name, value));
    await journey.open({ acr_values: 'urn:latchkey:acr:mfa' });
    expect(await journey.context()).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'urn:latchkey:acr:mfa' });
    expect((await act('totp-remove')).status).toBe(200);
    expect(await factsOf(people.customer, 'totp_secrets')).toEqual([]);
  });

  it('are added and removed by their user, who is told by mail, and counts what is left', async () => {
    const { app, codes } = await addApp();
    expect(codes).toHaveLength(10);
    expect(await people.openAccount(anna)).toContain('Recovery codes left: 10 of 10');
    const journey = new Journey(people.customer);
    await journey.password();
    expect(journey.page).toBe('factor');
    await journey.send({ recovery: codes[0] ?? '' });
    expect(journey.done).toBe(true);
    expect(await people.openAccount(anna)).toContain('Recovery codes left: 9 of 10');

    const renewed = codesOf((await act('recovery-codes')).html);
    const again = new Journey(people.customer);
    await again.password();
    await again.send({ recovery: codes[1] ?? '' });
    expect(again.done).toBe(false);
    await again.send({ recovery: renewed[1] ?? '' });
    expect(again.done).toBe(true);

    await act('totp-remove');
    const last = new Journey(people.customer);
    await last.password();
    expect(last.done).toBe(true);
    expect(await factsOf(people.customer, 'recovery_codes')).toEqual([]);
    expect(await told()).toEqual(['totp-added', 'recovery-code-used', 'recovery-codes-renewed', 'recovery-code-used', 'totp-removed']);
    expect(JSON.stringify(await people.mails())).not.toContain(app.code());
  });

  it('can be several passkeys by name, and one is removed without the others', async () => {
    for (const name of ['Phone', 'Key <b>']) {
      const device = new Authenticator();
      await act('passkey-add', { name, passkey: device.register(askedOf((await act('passkey')).html), ceremony()) });
    }
    const html = await people.openAccount(anna);
    expect([html.includes('<strong>Phone</strong>'), html.includes('Key &lt;b')]).toEqual([true, true]);
    const [, id = ''] = /name="passkey" value="([^"]+)"/.exec(html) ?? [];
    await act('passkey-remove', { passkey: id });
    expect((await factsOf(people.customer, 'passkeys')).map(({ name }) => name)).toEqual(['Key <b>']);
    expect(await told()).toEqual(['passkey-added', 'passkey-added', 'passkey-removed']);
  });

  it('are nobody else’s: another user can neither remove a passkey nor answer what was asked in another session', async () => {
    const device = new Authenticator();
    await act('passkey-add', { passkey: device.register(askedOf((await act('passkey')).html), ceremony()) });
    const [row] = await factsOf(people.customer, 'passkeys');
    const asked = askedOf((await act('passkey')).html);
    const { customer } = people;
    await customer.users.create(customer.tenant.machine, customer.slug, {
      loginName: 'mallory',
      password: 'correct horse battery staple',
      administrator: false,
    });
    const mallory = people.browser();
    await people.openAccount(mallory, 'correct horse battery staple', 'mallory');
    expect((await people.act(mallory, 'passkey-remove', { passkey: String(row?.['id']) })).status).toBe(404);
    expect((await people.act(mallory, 'passkey-add', { passkey: new Authenticator().register(asked, ceremony()) })).status).toBe(422);
    expect(await factsOf(customer, 'passkeys')).toHaveLength(1);
  });

  it('are not changed without a fresh sign-in', async () => {
    const { app } = await addApp();
    await people.age(620);
    for (const [action, form] of [
      ['totp', {}],
      ['totp-add', { code: app.code(1) }],
      ['totp-remove', {}],
      ['passkey', {}],
      ['passkey-add', { passkey: '{}' }],
      ['passkey-remove', { passkey: 'x' }],
      ['recovery-codes', {}],
    ] as const) {
      const { location } = await act(action, { ...form });
      expect([action, new URL(location ?? '', people.customer.issuer).searchParams.get('prompt')]).toEqual([action, 'login']);
    }
    expect(await factsOf(people.customer, 'totp_secrets')).toHaveLength(1);
  });

  it('tell their user when somebody who knows the password guesses at codes', async () => {
    const { app } = await addApp();
    const guesser = new Journey(people.customer);
    await guesser.password();
    for (let i = 0; i < 6; i++) await guesser.send({ code: app.wrong() });
    expect(await told()).toEqual(['totp-added', 'guessed-at']);
  });
});
