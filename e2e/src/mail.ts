import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Product } from './product.js';

/** Waits for the mail with this subject, and takes it out of the folder that the product writes mail to. */
export async function takeMail({ dataDir }: Pick<Product, 'dataDir'>, to: string, subject: string): Promise<string> {
  const folder = join(dataDir, 'mail');
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; await new Promise((resolve) => setTimeout(resolve, 100))) {
    for (const name of (await readdir(folder).catch(() => [])).filter((each) => each.endsWith('.eml'))) {
      const raw = await readFile(join(folder, name), 'utf8');
      // Quoted-printable (RFC 2045 §6.7), which nodemailer uses where a line is long.
      const text = raw
        .replaceAll(/=\r?\n/g, '')
        .replaceAll(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
      if (!text.includes(to) || !text.includes(subject)) continue;
      await rm(join(folder, name));
      return text;
    }
  }
  throw new Error(`no mail to ${to} about ${subject}`);
}

/** The link that a mail carries; empty if it has none. */
export function linkIn(mail: string): string {
  return /http:\/\/localhost\S+\/(?:invitation|new-password|verify-email|sign-up)\/[0-9a-f]{72}/.exec(mail)?.[0] ?? '';
}
