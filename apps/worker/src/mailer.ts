import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';

/** One message, ready to go. */
export interface Message {
  /** Becomes its Message-ID, so that a mail program shows a repetition once. */
  id: string;
  to: { name: string; address: string }[];
  subject: string;
  text: string;
}

/** Hands a message on. @throws when it could not; `describeMailFault` says why. */
export type Mailer = (message: Message) => Promise<void>;

/** How long a mail server may take to answer. */
const timeoutMillis = 15_000;

/** Nothing that a message holds may make us read a file or an address. */
const closed = { disableFileAccess: true, disableUrlAccess: true };

/** @param url `smtp://user:password@host:587` or `smtps://…`. */
export function smtpMailer(url: string, from: string): Mailer {
  const timeouts = { connectionTimeout: timeoutMillis, greetingTimeout: timeoutMillis, socketTimeout: timeoutMillis };
  const transport = createTransport({ url, ...timeouts, ...closed });
  return async (message) => {
    await transport.sendMail(compose(message, from));
  };
}

/** Writes each message as an .eml file, which any mail program opens: for trying, where there is no mail server. */
export async function folderMailer(folder: string, from: string): Promise<Mailer> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows', ...closed });
  return async (message) => {
    const { message: text } = await transport.sendMail(compose(message, from));
    const file = join(folder, `${message.id}.eml`);
    // Renamed when it is whole, so that nobody reads half a mail.
    await writeFile(`${file}.part`, text as Buffer, { mode: 0o600 });
    await rename(`${file}.part`, file);
  };
}

function compose({ id, to, subject, text }: Message, from: string) {
  const host = /@([\w.-]+)/.exec(from)?.[1] ?? 'localhost';
  // RFC 3834 §5: nobody's out-of-office shall answer.
  return { from, to, subject, text, messageId: `<${id}@${host}>`, headers: { 'Auto-Submitted': 'auto-generated' } };
}

/** Why a message could not be handed on, without what the server said: that may repeat what we logged in with. */
export function describeMailFault(error: unknown): string {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  if (typeof responseCode === 'number') return `The mail server answered ${responseCode}`;
  return `The mail could not be handed on${typeof code === 'string' ? `: ${code}` : ''}`;
}
