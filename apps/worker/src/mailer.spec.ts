import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeMailFault, folderMailer, smtpMailer } from './mailer.js';

const message = {
  id: '0198c2f0-0000-7000-8000-000000000001',
  to: [
    { name: 'Anna Ångström', address: 'anna@example.com' },
    { name: 'Bert', address: 'bert@example.com' },
  ],
  subject: 'A webhook of acme was disabled',
  text: 'It has taken no event.\n',
};

describe('mail into a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'latchkey-mail-')), 'mail');
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is one file that a mail program can open, for its owner alone, however often it is sent', async () => {
    const mail = await folderMailer(folder, 'Latchkey <latchkey@example.com>');
    await mail(message);
    await mail(message);
    expect(await readdir(folder)).toEqual([`${message.id}.eml`]);
    const file = join(folder, `${message.id}.eml`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    for (const line of [
      'From: Latchkey <latchkey@example.com>\r\n',
      '<anna@example.com>, Bert',
      '<bert@example.com>\r\n',
      'Subject: A webhook of acme was disabled\r\n',
      `Message-ID: <${message.id}@example.com>\r\n`,
      'Auto-Submitted: auto-generated\r\n',
      '\r\n\r\nIt has taken no event.',
    ])
      expect(text).toContain(line);
  });

  it('holds no header that somebody hid in a name', async () => {
    const mail = await folderMailer(folder, 'Latchkey <latchkey@example.com>');
    await mail({
      ...message,
      id: 'x',
      subject: 'a\r\nBcc: eve@example.com',
      to: [{ name: 'E\r\nCc: eve@example.com', address: 'e@example.com' }],
    });
    expect(await readFile(join(folder, 'x.eml'), 'utf8')).not.toMatch(/^(?:Bcc|Cc):/im);
  });
});

describe('mail by SMTP', () => {
  let server: Server;
  let url: string;
  let heard: string;
  let answerToData: string;

  /** As much of RFC 5321 as it takes to accept a message or refuse it. */
  function serve(socket: Socket): void {
    let inData = false;
    const say = (line: string) => void socket.write(`${line}\r\n`);
    say('220 test');
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      const text = chunk.toString();
      heard += text;
      if (inData) {
        if (!heard.endsWith('\r\n.\r\n')) return;
        inData = false;
        return say(answerToData);
      }
      if (/^EHLO/i.test(text)) return say('250-test\r\n250 AUTH PLAIN');
      if (/^AUTH/i.test(text)) return say('235 welcome');
      if (/^DATA/i.test(text)) inData = true;
      if (/^QUIT/i.test(text)) return void socket.end('221 bye\r\n');
      return say(inData ? '354 go on' : '250 ok');
    });
  }

  beforeAll(async () => {
    server = createServer(serve).listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `smtp://user:hunter2@127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    heard = '';
    answerToData = '250 taken';
  });
  afterAll(() => void server.close());

  it('is handed on once for all recipients', async () => {
    await smtpMailer(url, 'Latchkey <latchkey@example.com>')(message);
    expect(heard).toContain('MAIL FROM:<latchkey@example.com>');
    expect(heard).toContain('RCPT TO:<anna@example.com>');
    expect(heard).toContain('RCPT TO:<bert@example.com>');
    expect(heard.match(/^DATA/gm)).toHaveLength(1);
    expect(heard).toContain('It has taken no event.');
  });

  it('says in a word why it was not taken, and nothing of the password', async () => {
    answerToData = '452 user:hunter2 has no room';
    const fault = await smtpMailer(url, 'latchkey@example.com')(message).then(() => '', describeMailFault);
    expect(fault).toBe('The mail server answered 452');
    const unreachable = await smtpMailer(
      'smtp://user:hunter2@127.0.0.1:9',
      'latchkey@example.com',
    )(message).then(() => '', describeMailFault);
    expect(unreachable).toMatch(/^The mail could not be handed on: E\w+$/);
  });
});
