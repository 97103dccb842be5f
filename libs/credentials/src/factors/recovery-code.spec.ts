import { randomBytes } from 'node:crypto';
import { KeyRing } from '../key-ring.js';
import { hashRecoveryCode, isRecoveryCode, newRecoveryCodes } from './recovery-code.js';

const peppers = KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
const owner = { repositoryId: 'a', userId: 1 };

describe('recovery codes', () => {
  it('are ten, all different, of 50 bits each', () => {
    const codes = newRecoveryCodes();
    expect(new Set(codes).size).toBe(10);
    for (const code of codes) expect(code).toMatch(/^[0-9a-hjkmnp-tv-z]{5}-[0-9a-hjkmnp-tv-z]{5}$/);
  });

  it('are the same however they are typed', () => {
    const hash = hashRecoveryCode(peppers, owner, 'k3f91-04hzm');
    for (const typed of ['K3F91-04HZM', ' k3f91 04hzm ', 'k3f9lO4hzm', 'k3f9i-o4hzm']) {
      expect(isRecoveryCode(typed)).toBe(true);
      expect(hashRecoveryCode(peppers, owner, typed)).toEqual(hash);
    }
    expect(isRecoveryCode('123456')).toBe(false);
  });

  it('are nothing to another user or repository', () => {
    const hash = hashRecoveryCode(peppers, owner, 'k3f91-04hzm');
    for (const other of [
      { ...owner, userId: 2 },
      { ...owner, repositoryId: 'b' },
    ])
      expect(hashRecoveryCode(peppers, other, 'k3f91-04hzm')).not.toEqual(hash);
  });
});
