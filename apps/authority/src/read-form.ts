import type { IncomingMessage } from 'node:http';
import { Problem } from '@latchkey/contracts';

/** Far more than any form of ours takes. */
const limitBytes = 16 * 1024;

/**
 * Reads a posted form (application/x-www-form-urlencoded).
 *
 * @throws Problem `unsupported-media-type` or `body-too-large`.
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? ''))
    throw new Problem('unsupported-media-type', 'Send a form.');
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limitBytes) throw new Problem('body-too-large', 'The form is too large.');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
