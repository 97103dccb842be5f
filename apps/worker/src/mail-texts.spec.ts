import type { MailData } from '@latchkey/jobs';
import { writeMail } from './mail-texts.js';

const disabled: MailData<'webhook.disabled'> = {
  url: 'https://example.com/hook?token=abc',
  repository: 'acme',
  because: 'failing',
  failingSince: '2026-01-02T03:04:05.000Z',
};
const due: MailData<'credential.due'> = {
  kind: 'client secret',
  name: 'Tool',
  hint: 'lk_live_cs_…abcd',
  repository: 'acme',
  because: 'expiry',
  dueAt: '2026-01-02T03:04:05.000Z',
  daysLeft: 7,
};

describe('a mail', () => {
  it('says what happened, why, and where to act on it', () => {
    const { subject, text } = writeMail('webhook.disabled', disabled, 'https://portal.example.com');
    expect(subject).toBe('A webhook of acme was disabled');
    expect(text).toContain('https://example.com/hook of the repository acme has taken no event since 2026-01-02 03:04 UTC');
    expect(text).toContain('https://portal.example.com');
    expect(writeMail('webhook.disabled', { ...disabled, because: 'gone', repository: null }, undefined).text).toContain('410 Gone');
  });

  it('tells the end of a credential from its age', () => {
    expect(writeMail('credential.due', due, undefined).subject).toBe('The client secret "Tool" expires in 7 days');
    expect(writeMail('credential.due', { ...due, because: 'age', daysLeft: 1 }, undefined).subject).toBe(
      'The client secret "Tool" should be replaced tomorrow',
    );
    expect(writeMail('credential.due', due, undefined).text).toContain('lk_live_cs_…abcd');
  });

  it('says until when a domain can be saved, and when it could not', () => {
    const lost = {
      domain: 'login.acme.com',
      repository: 'acme',
      record: '_latchkey.login.acme.com',
      givenUpAt: '2026-01-16T03:04:05.000Z',
    };
    const { subject, text } = writeMail('domain.lost', lost, undefined);
    expect(subject).toBe('The DNS record of login.acme.com is missing');
    for (const part of ['_latchkey.login.acme.com', '2026-01-16 03:04 UTC']) expect(text).toContain(part);
    expect(writeMail('domain.lost', { ...lost, givenUpAt: null }, undefined).subject).toBe('The domain login.acme.com was given up');
  });

  it('shows nothing that is shaped like a secret, whatever people named theirs', () => {
    const value = `lk_live_cs_${'a'.repeat(43)}_abcdef`;
    const { subject, text } = writeMail('credential.due', { ...due, name: value, repository: `whsec_${'b'.repeat(44)}` }, undefined);
    for (const part of ['aaaa', 'bbbb']) expect(subject + text).not.toContain(part);
    expect(writeMail('webhook.disabled', disabled, undefined).text).not.toContain('abc');
  });
});
