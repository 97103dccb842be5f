import { randomBytes } from 'node:crypto';
import { KeyRing } from './key-ring.js';

const key = () => randomBytes(32).toString('base64');

describe('a key ring', () => {
  it('opens what it sealed, and nothing that was changed', () => {
    const ring = KeyRing.parse(`a:${key()}`);
    const { keyId, sealed } = ring.seal(Buffer.from('private'));
    expect(ring.open(keyId, sealed).toString()).toBe('private');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(() => ring.open(keyId, changed)).toThrow();
    }
  });

  it('still opens and compares with an older key after a newer one was put in front', () => {
    const older = `old:${key()}`;
    const before = KeyRing.parse(older);
    const after = KeyRing.parse(`new:${key()},${older}`);
    const { keyId, sealed } = before.seal(Buffer.from('private'));
    expect(after.open(keyId, sealed).toString()).toBe('private');
    expect(after.mac('secret', 'old')).toEqual(before.mac('secret'));
    expect(after.currentId).toBe('new');
    expect(after.mac('secret')).not.toEqual(before.mac('secret'));
  });

  it.each([['hunter2'], ['a:hunter2'], [`a:${key()},a:${key()}`], [''], [`a:${key()},`]])(
    'refuses a malformed text and does not print it (%#)',
    (text) => {
      expect(() => KeyRing.parse(text)).toThrow(/^(?!.*hunter2)/);
    },
  );
});
