import { setTimeout as wait } from 'node:timers/promises';
import { basic, Connections, form, type Call, type Reply } from './connections.js';
import type { CallOutcome, Entry, Span } from './history.js';
import type { Tool } from './holdings.js';
import type { Installation } from './installation.js';
import type { Random } from './random.js';

/** The next act waits for so long when a call has failed. */
const afterFailureMillis = 200;

/** How a call to the tenant API ended. */
export interface TenantReply extends Span {
  outcome: CallOutcome;
  status: number | undefined;
  body: unknown;
}

/** The tenant API, called as a tenant's pipeline does. Its token is a credential like others, and so goes into the history. */
export class TenantCalls {
  readonly #tenantApi: Connections;
  readonly #authorities: Connections[];
  #token: { name: string; value: string; expires: number } | undefined;
  #tokens = 0;

  constructor(
    readonly installation: Installation,
    readonly random: Random,
    readonly record: (entry: Entry) => void,
  ) {
    this.#tenantApi = new Connections(installation.of('tenant-api')[0]!.origin, 16);
    this.#authorities = installation.of('authority').map(({ origin }) => new Connections(origin, 2));
  }

  /** Where the portal is, which the tenant API serves. */
  get portalUrl(): string {
    return `http://localhost:${this.installation.of('tenant-api')[0]!.port}`;
  }

  /** Carries out one call, once: whether it took effect is for the checker to judge by the outcome. */
  async call(method: Call['method'], path: string, body?: object): Promise<TenantReply> {
    const token = await this.#currentToken();
    const reply = await this.#send(token.value, method, path, body);
    this.#recordUse(token.name, reply);
    if (reply.status === 401) this.#token = undefined;
    return this.#outcomeOf(reply);
  }

  /** The same with the token of somebody else, which is not of the history. */
  async callAs(token: string, method: Call['method'], path: string): Promise<TenantReply> {
    return this.#outcomeOf(await this.#send(token, method, path));
  }

  async #send(token: string, method: Call['method'], path: string, body?: object): Promise<Reply> {
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    return this.#tenantApi.call({
      method,
      path,
      headers: { authorization: `Bearer ${token}`, ...json },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  async #outcomeOf(reply: Reply): Promise<TenantReply> {
    const outcome = outcomeOf(reply);
    if (outcome !== 'done') await wait(afterFailureMillis);
    const { begin, end, status } = reply;
    return { begin, end, status, outcome, body: parse(reply.text) };
  }

  async close(): Promise<void> {
    await Promise.all([this.#tenantApi, ...this.#authorities].map((connections) => connections.close()));
  }

  async #currentToken() {
    if (this.#token && this.#token.expires > performance.now()) return this.#token;
    const { clientId, clientSecret } = this.installation.credential;
    const { headers, body } = form({ grant_type: 'client_credentials' });
    for (;;) {
      const call = {
        method: 'POST' as const,
        path: '/console/connect/token',
        headers: { ...headers, authorization: basic(clientId, clientSecret) },
        body,
      };
      const { begin, end, status, text } = await this.random.pick(this.#authorities).call(call);
      if (status === 200) {
        const { access_token: value, expires_in: seconds } = JSON.parse(text) as { access_token: string; expires_in: number };
        const name = `driver-token-${++this.#tokens}`;
        const expires = begin + seconds * 1_000;
        this.record({
          type: 'issued',
          credential: name,
          kind: 'tenant-token',
          needs: ['tenant credential'],
          boundTo: [],
          begin,
          end,
          expires,
        });
        this.#token = { name, value, expires: expires - 60_000 };
        return this.#token;
      }
      if (status === 401) throw new Error(`the tenant's credential was refused: ${text}`);
      await wait(100);
    }
  }

  #recordUse(credential: string, { begin, end, status, fault }: Reply): void {
    const outcome = status === 401 ? 'refused' : status !== undefined && status < 500 ? 'accepted' : 'unanswered';
    this.record({
      type: 'presentation',
      credential,
      node: 'tenant-api',
      way: 'tenant API',
      outcome,
      answer: String(status ?? fault),
      begin,
      end,
    });
  }
}

/** A server's error may come after the commit, so it tells nothing. What could not even be sent changed nothing. */
function outcomeOf({ status, fault }: Reply): CallOutcome {
  if (status !== undefined && status >= 200 && status < 300) return 'done';
  return fault === 'ECONNREFUSED' || (status !== undefined && status >= 400 && status < 500) ? 'refused' : 'unknown';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Where a client is administered: one of a repository, or a credential of the tenant. */
export const clientPath = ({ repository, clientId }: Tool) =>
  repository.isConsole ? `/v1/credentials/${clientId}` : `/v1/repositories/${repository.slug}/clients/${clientId}`;

export const regenerationPath = (tool: Tool) => `${clientPath(tool)}${tool.repository.isConsole ? '' : '/secrets'}/regenerate`;

export const userPath = ({ repository, id }: { repository: { slug: string }; id: number }) =>
  `/v1/repositories/${repository.slug}/users/${id}`;

export const memberPath = ({ id }: { id: string }) => `/v1/members/${id}`;
