import { Attempts, networkOf, type Attempt } from './attempts.js';

const attempt = (more: Partial<Attempt> = {}): Attempt => ({ repositoryId: 'acme', name: 'anna', address: '192.0.2.1', ...more });

/** How many of so many attempts may be made. */
async function made(attempts: Attempts, count: number, each: (index: number) => Attempt): Promise<number> {
  const turns = await Promise.all(Array.from({ length: count }, (_, index) => attempts.begin(each(index))));
  return turns.filter((turn) => 'giveBack' in turn).length;
}

describe('guessing at passwords', () => {
  it('is slowed for one address and account after 10 wrong tries, also when they come at once', async () => {
    const attempts = new Attempts();
    expect(await made(attempts, 50, () => attempt())).toBe(10);
    expect(await attempts.begin(attempt())).toEqual({ waitSeconds: expect.any(Number) as number });
    expect(await made(attempts, 1, () => attempt({ address: '192.0.2.2' }))).toBe(1);
    expect(await made(attempts, 1, () => attempt({ name: 'bert' }))).toBe(1);
  });

  it('is slowed for one address over all accounts after 100', async () => {
    const attempts = new Attempts();
    expect(await made(attempts, 200, (index) => attempt({ name: `person${index}`, repositoryId: `r${index % 3}` }))).toBe(100);
  });

  it('is slowed for one account over all addresses after 100, to one a minute', async () => {
    const attempts = new Attempts();
    expect(await made(attempts, 1000, (index) => attempt({ address: `198.51.${index >> 8}.${index & 255}` }))).toBe(101);
    expect(await attempts.begin(attempt({ address: '203.0.113.9' }))).toEqual({ waitSeconds: expect.any(Number) as number });
  });

  it('keeps nobody out of a browser that the account is known in', async () => {
    const attempts = new Attempts();
    await made(attempts, 1000, (index) => attempt({ address: `198.51.${index >> 8}.${index & 255}` }));
    await made(attempts, 50, () => attempt());
    expect(await made(attempts, 50, () => attempt({ device: 'd1' }))).toBe(10);
    expect(await made(attempts, 50, () => attempt({ device: 'd2' }))).toBe(10);
  });

  it('costs nothing when the password is right', async () => {
    const attempts = new Attempts();
    for (let index = 0; index < 300; index++) {
      const turn = await attempts.begin(attempt());
      if (!('giveBack' in turn)) throw new Error(`refused at ${index}`);
      turn.giveBack();
    }
  });

  it('counts a network of IPv6 as one address', () => {
    expect(networkOf('2001:db8:1:2:3:4:5:6')).toBe(networkOf('2001:0db8:0001:0002:ffff::1'));
    expect(networkOf('2001:db8::1')).toBe('2001:db8:0:0');
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(networkOf('192.0.2.1')).toBe('192.0.2.1');
  });
});
