import { mailTemplates, type MailData, type PersonMailTemplate } from '@latchkey/jobs';
import { writePersonMail } from './person-mail-texts.js';

const link = `https://auth.example.com/acme/new-password/${'0a'.repeat(36)}`;
const place = { repository: 'Acme', issuer: 'https://auth.example.com/acme', link };
const data = {
  to: { name: 'Anna', address: 'anna@example.com' },
  repositoryId: '01a1fc9c-1b07-71c2-b765-617512bba927',
  loginName: 'anna',
  linkId: '01a1fc9c-1b07-71c2-b765-617512bba928',
  at: '2026-01-02T03:04:05.000Z',
  address: '192.0.2.1',
  device: 'Firefox on Linux',
  tenant: 'Acme Inc.',
  by: 'olga',
  what: 'recovery-code-used',
  codesLeft: 9,
};
const templates = Object.keys(mailTemplates).filter((name): name is PersonMailTemplate => name.startsWith('person.'));
const write = (template: PersonMailTemplate, language: 'en' | 'de', more = {}) =>
  writePersonMail(template, { ...data, language, ...more } as MailData<PersonMailTemplate>, place);

describe('a mail to a person', () => {
  it('names the repository and the account, in the language that they read the page in', () => {
    for (const template of templates) {
      for (const language of ['en', 'de'] as const) {
        const { subject, text } = write(template, language);
        expect([template, language, subject]).toEqual([template, language, expect.stringContaining('Acme') as string]);
        expect([template, text]).toEqual([template, expect.stringContaining('anna') as string]);
      }
      expect(write(template, 'en').text).not.toBe(write(template, 'de').text);
    }
  });

  it('has the link in a line of its own, if it has one', () => {
    for (const template of templates) {
      const hasLink = 'linkId' in mailTemplates[template].shape;
      for (const language of ['en', 'de'] as const)
        expect([template, write(template, language).text.split('\n').includes(link)]).toEqual([template, hasLink]);
    }
  });

  it('shows nothing else that is shaped like a secret, whatever people named theirs', () => {
    const secret = `lk_live_cs_${'a'.repeat(43)}_abcdef`;
    for (const template of templates) {
      const { subject, text } = write(template, 'en', { loginName: secret, device: secret });
      expect([template, (subject + text).includes('aaaa')]).toEqual([template, false]);
    }
  });
});
