import { hashPassword, verifyPassword } from './password.js';

describe('a password', () => {
  it('is verified against its argon2id hash, and no other is', async () => {
    const hash = await hashPassword('correct horse battery');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await verifyPassword('correct horse battery', hash)).toBe(true);
    expect(await verifyPassword('correct horse batterY', hash)).toBe(false);
  });

  it('is the same whichever way its characters were composed', async () => {
    const hash = await hashPassword('caf\u00e9 au lait, s\u2019il vous pla\u00eet');
    expect(await verifyPassword('cafe\u0301 au lait, s\u2019il vous plai\u0302t', hash)).toBe(true);
  });

  it('of an account that does not exist takes as long as a wrong one', async () => {
    const hash = await hashPassword('correct horse battery');
    const time = async (stored: string | undefined) => {
      const began = performance.now();
      expect(await verifyPassword('wrong', stored)).toBe(false);
      return performance.now() - began;
    };
    const samples = { wrong: [] as number[], absent: [] as number[] };
    for (let i = 0; i < 5; i++) {
      samples.wrong.push(await time(hash));
      samples.absent.push(await time(undefined));
    }
    // Skipping the hash would make the quickest of five a thousand times as fast.
    expect(Math.min(...samples.absent)).toBeGreaterThan(Math.min(...samples.wrong) / 4);
  });
});
