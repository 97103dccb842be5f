import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface ReceivedEvent {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

/** A customer's system that takes webhooks and believes only what is signed. */
export interface WebhookReceiver {
  url: string;
  /** Whose signatures to believe; events that came before are refused and come again. */
  trust: (signingSecret: string) => void;
  /** Every event by its id: one that was delivered twice is here once. */
  events: Map<string, ReceivedEvent>;
  /** Everything that was posted, as it came. */
  bodies: string[];
  close: () => Promise<void>;
}

export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  let webhook: Webhook | undefined;
  const events: WebhookReceiver['events'] = new Map();
  const bodies: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      bodies.push(body);
      try {
        if (!webhook) throw new Error('no signing secret yet');
        const { type, data } = webhook.verify(body, request.headers as Record<string, string>) as ReceivedEvent;
        const id = String(request.headers['webhook-id']);
        events.set(id, { id, type, data });
        response.writeHead(204).end();
      } catch {
        response.writeHead(401).end();
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    trust: (signingSecret) => void (webhook = new Webhook(signingSecret)),
    events,
    bodies,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
