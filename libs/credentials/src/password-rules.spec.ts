import { passwordFault } from './password-rules.js';

const words = ['Acme Archive', 'acme-archive', 'anna.schmidt', 'Anna Schmidt', 'anna.schmidt@example.com'];
const alone = (password: string) => passwordFault(password, { shortest: 15, words });
const beside = (password: string) => passwordFault(password, { shortest: 8, words });

describe('a new password', () => {
  it('has 15 characters or more when it stands alone, 8 beside a second factor, and 256 at most', () => {
    expect(alone('horse staple b')).toBe('tooShort');
    expect(alone('horse staple ba')).toBeUndefined();
    expect(beside('staple7')).toBe('tooShort');
    expect(beside('staple b')).toBeUndefined();
    expect(alone(`staple b${'qwxz'.repeat(62)}`)).toBeUndefined();
    expect(alone(`staple b.${'qwxz'.repeat(62)}`)).toBe('tooLong');
  });

  it('is counted in characters as people see them, not in code units', () => {
    expect(beside('🐴🔋📎✅')).toBe('tooShort');
    expect(beside('🐴🔋📎✅🐟🌵🎲🧭')).toBeUndefined();
    expect(beside('ａｂｃ')).toBe('tooShort');
  });

  it('takes any kind of character and asks for none', () => {
    for (const password of ['correct horse battery staple', 'über alle berge und täler', 'ニッポンの山と海と空と風と夢'])
      expect(beside(password)).toBeUndefined();
  });

  it('is none that many people have chosen, in any case and with digits or signs behind', () => {
    for (const password of ['1qaz2wsx3edc4rfv', '1QAZ2WSX3EDC4RFV', 'qwertyuiop12345', '123456789qwerty', 'passwordstandard']) {
      expect([password, alone(password)]).toEqual([password, 'common']);
    }
    for (const password of ['password1', 'Princess2024!', 'Football!!']) expect([password, beside(password)]).toEqual([password, 'common']);
  });

  it('is no repetition and no sequence', () => {
    for (const password of [
      'aaaaaaaaaaaaaaaa',
      'passwd passwd passwd',
      'abcabcabcabcabcab',
      '01234567890123456',
      'abcdefghijklmnopq',
      'zyxwvutsrqponmlk',
    ]) {
      expect([password, alone(password)]).toEqual([password, 'repetitive']);
    }
  });

  it('is not made of the names of the repository and of the person', () => {
    for (const password of [
      'acme-archive-2026',
      'anna.schmidt@example.com',
      'AnnaSchmidt12345',
      'schmidt-anna-acme!',
      'archiveACMEarchive',
    ]) {
      expect([password, alone(password)]).toEqual([password, 'personal']);
    }
    expect(alone('anna likes tin drums')).toBeUndefined();
    expect(passwordFault('staple battery horse', { shortest: 15, words: [null, undefined, '', 'st'] })).toBeUndefined();
  });
});
