import type { IncomingMessage } from 'node:http';

/** Far more than a request for a token takes. It must fit in what a request buffers. */
const limitBytes = 4 * 1024;

/** The body of requests with one of these does not come as it is. */
const encodings = ['content-encoding', 'transfer-encoding', 'expect'];

const formType = /^application\/x-www-form-urlencoded(; ?charset=utf-8)?$/i;

const forms = new WeakMap<IncomingMessage, Promise<URLSearchParams | undefined>>();

/** A small form that was posted. The body can still be read as if nobody had looked at it. @returns nothing for anything else. */
export function peekForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const known = forms.get(request) ?? readForm(request);
  forms.set(request, known);
  return known;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const { headers } = request;
  const length = Number(headers['content-length']);
  if (!(length > 0 && length <= limitBytes) || !formType.test(headers['content-type'] ?? '')) return undefined;
  if (encodings.some((name) => name in headers)) return undefined;
  const body = (await peek(request, length))?.toString('latin1');
  // A question mark in front would be taken for that of a query.
  return body === undefined || body.startsWith('?') ? undefined : new URLSearchParams(body);
}

/** The whole body, which stays where it is. @returns nothing when it does not come. */
function peek(request: IncomingMessage, length: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const look = () => {
      const body = request.read(length) as Buffer | null;
      if (body === null && !request.readableEnded && !request.destroyed) return;
      request.off('readable', look).off('close', look);
      if (body !== null) request.unshift(body);
      resolve(body?.length === length ? body : undefined);
    };
    request.on('readable', look).on('close', look);
  });
}
