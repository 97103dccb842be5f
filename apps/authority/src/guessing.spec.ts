import { Guessing } from './guessing.js';

describe('whoever guesses at a secret', () => {
  it('gains nothing by the other addresses of their IPv6 network, and keeps out no other network and no other client', async () => {
    const guessing = new Guessing();
    const at = (address: string, clientId = 'tool') => ({ repositoryId: 'repository', clientId, address });
    for (let i = 1; i <= 10; i++) guessing.failed(at(`2001:db8:1:2::${i}`));
    expect(await guessing.isGuesser(at('2001:db8:1:2:ffff::1'))).toBe(true);
    expect(await guessing.isGuesser(at('2001:db8:1:3::1'))).toBe(false);
    expect(await guessing.isGuesser(at('2001:db8:1:2::1', 'another'))).toBe(false);
  });
});
