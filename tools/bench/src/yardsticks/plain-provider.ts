import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { interactionPolicy, Provider, type Adapter, type AdapterPayload } from 'oidc-provider';
import pg from 'pg';

/*
 * The yardstick of the authority: the library that it is built on, as one would use it for one issuer: clients in its
 * configuration, no checks but its own, tokens as JWTs, nobody asked for consent. Records are in memory, or in PostgreSQL where a
 * connection string is given: a statement for each, prepared, without transactions.
 *
 * Arguments: the port, and the connection string or nothing.
 */
const [port = '', databaseUrl = ''] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;
const audience = `${issuer}/api`;
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pool = databaseUrl ? new pg.Pool({ connectionString: databaseUrl, max: 8 }) : undefined;

const policy = interactionPolicy.base();
policy.remove('consent');

class PostgresRecords implements Adapter {
  readonly kind: string;

  constructor(kind: string) {
    this.kind = kind;
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<undefined> {
    await run(
      'upsert',
      `INSERT INTO plain_records (kind, id, payload, grant_id, uid, expires_at) VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
       ON CONFLICT (kind, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid, expires_at = excluded.expires_at`,
      [this.kind, id, payload, payload.grantId ?? null, payload.uid ?? null, expiresIn],
    );
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    return this.#found(await run('find', `${select} WHERE kind = $1 AND id = $2 AND expires_at > now()`, [this.kind, id]));
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#found(await run('find-by-uid', `${select} WHERE kind = $1 AND uid = $2 AND expires_at > now()`, [this.kind, uid]));
  }

  async findByUserCode(): Promise<undefined> {
    return undefined;
  }

  async consume(id: string): Promise<undefined> {
    await run('consume', 'UPDATE plain_records SET consumed_at = now() WHERE kind = $1 AND id = $2', [this.kind, id]);
  }

  async destroy(id: string): Promise<undefined> {
    await run('destroy', 'DELETE FROM plain_records WHERE kind = $1 AND id = $2', [this.kind, id]);
  }

  async revokeByGrantId(grantId: string): Promise<undefined> {
    await run('revoke', 'DELETE FROM plain_records WHERE grant_id = $1', [grantId]);
  }

  #found([row]: Record_[]): AdapterPayload | undefined {
    return row && { ...row.payload, ...(row.consumed ? { consumed: row.consumed } : {}) };
  }
}

interface Record_ {
  payload: AdapterPayload;
  consumed: number | null;
}

const select = 'SELECT payload, extract(epoch FROM consumed_at)::integer AS consumed FROM plain_records';

async function run(name: string, text: string, values: unknown[]): Promise<Record_[]> {
  return (await pool!.query<Record_>({ name, text, values })).rows;
}

await pool?.query(`
  CREATE TABLE IF NOT EXISTS plain_records (kind text, id text, payload jsonb, grant_id text, uid text, expires_at timestamptz, consumed_at timestamptz, PRIMARY KEY (kind, id));
  CREATE INDEX IF NOT EXISTS plain_records_grant ON plain_records (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS plain_records_uid ON plain_records (kind, uid) WHERE uid IS NOT NULL`);

const provider = new Provider(issuer, {
  ...(pool ? { adapter: PostgresRecords } : {}),
  jwks: { keys: [{ ...(privateKey.export({ format: 'jwk' }) as object), kid: 'plain', alg: 'ES256', use: 'sig' } as never] },
  clients: [
    {
      client_id: 'tool',
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'sensenet',
    },
    {
      client_id: 'app',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      redirect_uris: ['http://localhost/signed-in'],
      application_type: 'native',
      response_types: ['code'],
    },
  ],
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  scopes: ['openid', 'sensenet'],
  cookies: { keys: ['plain'] },
  ttl: { Session: 86_400, Grant: 86_400, Interaction: 3_600, IdToken: 3_600, AccessToken: 600, ClientCredentials: 3_600 },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'sensenet', audience, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
    },
  },
  interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grantId = session?.grantIdFor(client!.clientId);
    const known = grantId ? await ctx.oidc.provider.Grant.find(grantId) : undefined;
    if (known) return known;
    const grant = new ctx.oidc.provider.Grant({ accountId: session!.accountId!, clientId: client!.clientId });
    grant.addOIDCScope('openid');
    grant.addResourceScope(audience, 'sensenet');
    await grant.save();
    return grant;
  },
});

const callback = provider.callback();
createServer((request, response) => {
  // Whoever comes is signed in.
  if (request.url?.startsWith('/interaction/')) return void provider.interactionFinished(request, response, { login: { accountId: '1' } });
  return void callback(request, response);
}).listen(Number(port), '127.0.0.1', () => process.send?.('ready'));
process.on('disconnect', () => process.exit(0));
