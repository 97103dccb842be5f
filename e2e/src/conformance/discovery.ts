import * as client from 'openid-client';
import { CookieBrowser } from '@latchkey/authority/testing';
import { subject } from './subject.js';

/* What discovery promises, clause by clause, and whether it is so. */

let metadata: Record<string, unknown>;
let answer: Response;

beforeAll(async () => {
  answer = await fetch(`${subject.issuer}/.well-known/openid-configuration`);
  metadata = (await answer.json()) as Record<string, unknown>;
});

const list = (name: string) => metadata[name] as string[];
const endpoints = () =>
  Object.entries(metadata).filter(([name]) => /_(endpoint|uri)$/.test(name) && name !== 'service_documentation') as [string, string][];

describe('OpenID Connect Discovery 1.0', () => {
  it('§4.1: the configuration lies below the issuer, path and all', () => {
    expect(answer.status).toBe(200);
  });

  it('§4.2: it is JSON', () => {
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
  });

  it('§4.3: issuer is exactly the address that it was found below', () => {
    expect(metadata['issuer']).toBe(subject.issuer);
  });

  it('§3: what is required is there', () => {
    const required = [
      'authorization_endpoint',
      'token_endpoint',
      'jwks_uri',
      'response_types_supported',
      'subject_types_supported',
      'id_token_signing_alg_values_supported',
    ];
    for (const name of required) expect(metadata).toHaveProperty(name);
    expect(metadata).toMatchObject({
      userinfo_endpoint: `${subject.issuer}/connect/userinfo`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      claims_parameter_supported: true,
      request_uri_parameter_supported: false,
    });
    expect(list('scopes_supported')).toContain('openid');
    for (const mode of ['query', 'form_post']) expect(list('response_modes_supported')).toContain(mode);
  });

  it('§3: nothing is promised that is signed by nobody: no symmetric algorithm, and no "none"', () => {
    for (const [name, value] of Object.entries(metadata)) {
      if (!name.endsWith('_alg_values_supported')) continue;
      expect([name, (value as string[]).filter((alg) => /^HS|^none$/.test(alg))]).toEqual([name, []]);
    }
  });

  it('§3: every endpoint that is named answers something, and none is a page of errors of ours', async () => {
    for (const [name, url] of endpoints()) {
      const responses = await Promise.all([fetch(url, { redirect: 'manual' }), fetch(url, { method: 'POST', redirect: 'manual' })]);
      const statuses = responses.map(({ status }) => status);
      expect([name, statuses.some((status) => status !== 404), statuses.every((status) => status < 500)]).toEqual([name, true, true]);
    }
  });
});

describe('the discovery policy of .NET clients', () => {
  it('every endpoint has the scheme, host and port of the issuer and lies below it', () => {
    expect(endpoints().length).toBeGreaterThanOrEqual(9);
    for (const [name, url] of endpoints()) expect([name, url.startsWith(`${subject.issuer}/`)]).toEqual([name, true]);
  });

  it('so it stays whatever host, scheme and prefix a request claims', async () => {
    const claims: Record<string, string>[] = [
      { 'x-forwarded-host': 'evil.example' },
      { 'x-forwarded-proto': 'https', 'x-forwarded-port': '444' },
      { forwarded: 'host=evil.example;proto=https' },
      { 'x-original-host': 'evil.example', 'x-forwarded-prefix': '/evil' },
    ];
    for (const headers of claims) {
      const other = await fetch(`${subject.issuer}/.well-known/openid-configuration`, { headers });
      expect(await other.json()).toEqual(metadata);
    }
  });

  it('the paths are those that existing clients have built in', () => {
    expect(metadata).toMatchObject({
      authorization_endpoint: `${subject.issuer}/connect/authorize`,
      token_endpoint: `${subject.issuer}/connect/token`,
      end_session_endpoint: `${subject.issuer}/connect/endsession`,
      introspection_endpoint: `${subject.issuer}/connect/introspect`,
      revocation_endpoint: `${subject.issuer}/connect/revocation`,
      device_authorization_endpoint: `${subject.issuer}/connect/deviceauthorization`,
    });
  });
});

describe('other specifications', () => {
  it('RFC 7636 §4.2 with RFC 8414 §2: S256 is the only code challenge method', () => {
    expect(list('code_challenge_methods_supported')).toEqual(['S256']);
  });

  it('RFC 9207 §3: it says that answers name the issuer', () => {
    expect(metadata['authorization_response_iss_parameter_supported']).toBe(true);
  });

  it('RFC 9126 §5: it says where requests are pushed', () => {
    expect(metadata['pushed_authorization_request_endpoint']).toBe(`${subject.issuer}/connect/par`);
  });

  it('RFC 9449 §5.1: it says with which algorithms proofs may be signed', () => {
    expect(list('dpop_signing_alg_values_supported')).toContain('ES256');
  });

  it('RFC 8414 §2: it says how clients authenticate, and client_secret_jwt is not among it', () => {
    const methods = list('token_endpoint_auth_methods_supported');
    for (const method of ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']) expect(methods).toContain(method);
    expect(methods).not.toContain('client_secret_jwt');
  });

  it('RFC 8628 §4 and Back-Channel Logout 1.0 §2.1: it says so', () => {
    expect(list('grant_types_supported')).toContain('urn:ietf:params:oauth:grant-type:device_code');
    expect(metadata).toMatchObject({ backchannel_logout_supported: true, backchannel_logout_session_supported: true });
  });

  it('RFC 7517 §4: every key has an id, an algorithm and a use, and nothing private', async () => {
    const response = await fetch(String(metadata['jwks_uri']));
    expect(response.headers.get('content-type')).toMatch(/^application\/(jwk-set\+)?json\b/);
    const { keys } = (await response.json()) as { keys: Record<string, unknown>[] };
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(key).toMatchObject({ kid: expect.any(String) as string, alg: 'ES256', use: 'sig' });
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) expect(key).not.toHaveProperty(secret);
    }
  });

  it('Fetch §3.2: any page may read discovery and keys; only those of an app may get tokens', async () => {
    for (const url of [`${subject.issuer}/.well-known/openid-configuration`, String(metadata['jwks_uri'])]) {
      const response = await fetch(url, { headers: { origin: 'https://anywhere.example' } });
      expect(response.headers.get('access-control-allow-origin')).toMatch(/^(\*|https:\/\/anywhere\.example)$/);
    }
    const body = new URLSearchParams({ grant_type: 'authorization_code', code: 'x', client_id: subject.appId });
    const ask = (origin: string) => fetch(`${subject.issuer}/connect/token`, { method: 'POST', body, headers: { origin } });
    expect((await ask('https://app.example.com')).headers.get('access-control-allow-origin')).toBe('https://app.example.com');
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('a published client takes it', async () => {
    const app = await subject.discover();
    expect(app.serverMetadata().issuer).toBe(subject.issuer);
    const { url } = await subject.request(app);
    expect((await subject.visit(new CookieBrowser(), url)).url.searchParams.get('iss')).toBe(subject.issuer);
    expect(client.buildEndSessionUrl(app).href).toContain(`${subject.issuer}/connect/endsession`);
  });
});
