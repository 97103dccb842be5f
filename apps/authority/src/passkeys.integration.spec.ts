import { askedOf, Authenticator } from './testing/authenticator.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';
import { factsOf, Journey, strict, withPasskey } from './testing/sign-in-journey.js';
import type { Customer } from './testing/customer.js';

/* Passkeys, from a device and a browser that do as they are told. */

const password = 'correct horse battery staple';
const mfa = 'urn:latchkey:acr:mfa';

let running: RunningAuthority;

beforeAll(async () => {
  running = await startAuthority();
});
afterAll(() => running.close());

describe('a passkey', () => {
  it('is a second factor, and alone enough', async () => {
    const { customer, device, codes } = await withPasskey(running);
    expect(codes).toHaveLength(10);
    const second = new Journey(customer);
    const html = await second.password();
    expect(second.page).toBe('factor');
    await second.send({ passkey: device.assert(askedOf(html), { ...second.ceremony, verified: false }) });
    expect(await second.context()).toMatchObject({ amr: ['pwd', 'hwk', 'user', 'mfa'], acr: mfa });

    const alone = new Journey(customer);
    await alone.send({ passkey: device.assert(askedOf(await alone.open()), alone.ceremony) });
    expect(await alone.context()).toEqual({ amr: ['hwk', 'user', 'mfa'], acr: mfa, sub: String(customer.anna.id) });
  });

  it('alone must know the person', async () => {
    const { customer, device } = await withPasskey(running);
    const alone = new Journey(customer);
    await alone.send({ passkey: device.assert(askedOf(await alone.open()), { ...alone.ceremony, verified: false }) });
    expect([alone.status, alone.done]).toEqual([401, false]);
  });

  it.each<[string, (device: Authenticator, html: string, journey: Journey) => string]>([
    [
      'from another origin',
      (device, html, { ceremony }) => device.assert(askedOf(html), { ...ceremony, origin: 'https://evil.example.com' }),
    ],
    [
      'from another port of the host',
      (device, html, { ceremony }) => device.assert(askedOf(html), { ...ceremony, origin: 'http://localhost:1' }),
    ],
    ['for another host', (device, html, { ceremony }) => device.assert(askedOf(html), { ...ceremony, rpId: 'evil.example.com' })],
    ['to another challenge', (device, _html, { ceremony }) => device.assert({ challenge: 'AAAA' }, ceremony)],
    [
      'that names another user',
      (device, html, { ceremony }) => device.assert(askedOf(html), ceremony, { userHandle: Buffer.alloc(20).toString('base64url') }),
    ],
    ['that names nobody', (device, html, { ceremony }) => device.assert(askedOf(html), ceremony, { userHandle: '' })],
    [
      'of a copy, whose counter has fallen behind',
      (device, html, { ceremony }) => ((device.counter = -1), device.assert(askedOf(html), ceremony)),
    ],
    ['that is not one', () => '{"id":"AAAA"}'],
    ['that is no JSON', () => '{'],
    ['of a registration', (device, html, { ceremony }) => new Authenticator().register(askedOf(html), ceremony)],
  ])('answer %s is refused', async (_what, answer) => {
    const { customer, device } = await withPasskey(running);
    const used = new Journey(customer);
    await used.send({ passkey: device.assert(askedOf(await used.open()), used.ceremony) });
    expect(used.done).toBe(true);
    const journey = new Journey(customer);
    const html = await journey.open();
    await journey.send({ passkey: answer(device, html, journey) });
    expect([journey.status, journey.done]).toEqual([401, false]);
  });

  it('of one repository is nothing in another on the same host, and of one user nothing to another', async () => {
    const { device, journey: own } = await withPasskey(running);
    const other = await withPasskey(running);
    const elsewhere = new Journey(other.customer);
    await elsewhere.send({ passkey: device.assert(askedOf(await elsewhere.open()), own.ceremony) });
    expect([elsewhere.status, elsewhere.done]).toEqual([401, false]);

    const { customer } = other;
    const bob = { loginName: 'bob', password, administrator: false };
    await customer.users.create(customer.tenant.machine, customer.slug, bob);
    await withPasskeyOf(customer, 'bob');
    const asBob = new Journey(customer, 'bob');
    const html = await asBob.password();
    await asBob.send({ passkey: other.device.assert(askedOf(html), asBob.ceremony) });
    expect([asBob.status, asBob.done]).toEqual([401, false]);
  });

  it('answers a challenge once, and not one that was put to another browser', async () => {
    const { customer, device } = await withPasskey(running);
    const [mine, other] = [new Journey(customer), new Journey(customer)];
    const answer = device.assert(askedOf(await mine.open()), mine.ceremony);
    await other.open();
    await other.send({ passkey: answer });
    expect(other.done).toBe(false);
    const page = mine.at;
    await mine.send({ passkey: answer });
    expect(mine.done).toBe(true);
    await mine.send({ passkey: answer }, page);
    expect(mine.done).toBe(false);
  });

  it('without a signature counter answers a challenge once too, of several answers at once', async () => {
    const { customer, device } = await withPasskey(running);
    const journey = new Journey(customer);
    const html = await journey.open();
    device.counter = -1;
    const passkey = device.assert(askedOf(html), journey.ceremony);
    const answers = await Promise.all([1, 2, 3].map(() => journey.browser.go(journey.at, { passkey })));
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([303, 401, 401]);
  });

  it('that is registered already is not registered again, with another origin not at all', async () => {
    const customer = await strict(running);
    const journey = new Journey(customer);
    const device = new Authenticator();
    const forged = device.register(askedOf(await journey.password()), { ...journey.ceremony, origin: 'https://evil.example.com' });
    await journey.send({ passkey: forged });
    expect([journey.status, journey.page]).toEqual([422, 'enrol']);
    expect(await factsOf(customer, 'passkeys')).toEqual([]);
  });
});

async function withPasskeyOf(customer: Customer, login: string) {
  const journey = new Journey(customer, login);
  const device = new Authenticator();
  await journey.send({ passkey: device.register(askedOf(await journey.password()), journey.ceremony) });
  return device;
}
