import { randomBytes } from 'node:crypto';
import type { CheckedSecret } from './check.js';
import { KeyRing } from './key-ring.js';
import { matchSecret } from './match-secret.js';
import { PlainSecret } from './plain-secret.js';

const ring = (...ids: string[]) => KeyRing.parse(ids.map((id) => `${id}:${randomBytes(32).toString('base64')}`).join());

describe('a secret whose pepper was taken out of the configuration', () => {
  const [lost, kept] = [ring('lost'), ring('kept')];
  const make = () => PlainSecret.generate('production', 'cs').reveal();
  const version = (peppers: KeyRing, secret: string): CheckedSecret => ({
    id: peppers.currentId,
    hash: peppers.mac(secret).toString('hex'),
    pepperId: peppers.currentId,
    alive: true,
    createdAt: '',
    expiresAt: null,
    endedAt: null,
    replaced: false,
  });

  it('has ended, and those beside it go on working', () => {
    const [old, current] = [make(), make()];
    const versions = [version(lost, old), version(kept, current)];
    expect(matchSecret(kept, 'production', versions, current)).toEqual({ outcome: 'live', versionId: 'kept' });
    expect(matchSecret(kept, 'production', versions, old)).toEqual({ outcome: 'wrong' });
    expect(matchSecret(kept, 'production', versions.slice(0, 1), old)).toEqual({ outcome: 'wrong' });
  });
});
