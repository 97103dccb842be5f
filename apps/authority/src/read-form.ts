import type { IncomingMessage } from 'node:http';
import { Problem } from '@latchkey/contracts';

/** Far more than any form of ours takes. */
const limitBytes = 16 * 1024;

/**
 * Reads a posted form (application/x-www-form-urlencoded).
 *
 * @throws Problem `unsupported-media-type`, `body-too-large`, or `malformed-body` when whoever sends it breaks off.
 */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? ''))
    throw new Problem('unsupported-media-type', 'Send a form.');
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limitBytes) throw new Problem('body-too-large', 'The form is too large.');
      chunks.push(chunk);
    }
  } catch (cause) {
    throw cause instanceof Problem ? cause : new Problem('malformed-body', 'The form breaks off.', { cause });
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
