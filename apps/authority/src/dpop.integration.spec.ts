import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { CredentialRefused } from '@latchkey/credentials';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/* Tokens that are bound to a key of whoever asked for them (RFC 9449), with a published client. */

let running: RunningAuthority;
let customer: Customer;
let app: client.Configuration;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  app = await customer.discover();
});
afterAll(() => running.close());

const handle = async () => client.getDPoPHandle(app, await client.randomDPoPKeyPair('ES256'));

describe('a token that was asked for with a DPoP proof', () => {
  it('is bound to the key: with a proof userinfo answers, as a plain bearer token it is refused', async () => {
    const dpop = await handle();
    const tokens = await customer.signIn(app, {}, { dpop });
    expect(tokens.token_type).toBe('dpop');
    expect(decodeJwt(tokens.access_token)['cnf']).toEqual({ jkt: await dpop.calculateThumbprint() });
    const sub = tokens.claims()?.sub ?? '';
    expect(await client.fetchUserInfo(app, tokens.access_token, sub, { DPoP: dpop })).toMatchObject({ sub, name: 'anna' });

    const plain = await fetch(`${customer.issuer}/connect/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    expect([plain.status, plain.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('invalid_token')]);
    await expect(client.fetchUserInfo(app, tokens.access_token, sub, { DPoP: await handle() })).rejects.toMatchObject({ status: 401 });
  });

  it('is refused by what verifies tokens for the APIs unless a proof is checked too', async () => {
    const { access_token: token } = await customer.signIn(app, {}, { dpop: await handle() });
    const repository = await running.authority.directory.find(customer.slug);
    if (!repository) throw new Error('gone');
    await expect(running.authority.verifier.verify(repository, token)).rejects.toThrow(
      new CredentialRefused('the token is bound to a key: present it with the scheme DPoP and a proof'),
    );
  });

  it('is renewed only by whoever holds the key', async () => {
    const dpop = await handle();
    const tokens = await customer.signIn(app, {}, { dpop });
    const refreshToken = tokens.refresh_token ?? '';
    await expect(client.refreshTokenGrant(app, refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(client.refreshTokenGrant(app, refreshToken, undefined, { DPoP: await handle() })).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    const renewed = await client.refreshTokenGrant(app, refreshToken, undefined, { DPoP: dpop });
    expect(decodeJwt(renewed.access_token)['cnf']).toEqual({ jkt: await dpop.calculateThumbprint() });
  });

  it('is told as bound to a tool that asks about it', async () => {
    const dpop = await handle();
    const tool = await customer.discoverTool();
    const { access_token: token } = await client.clientCredentialsGrant(tool, {}, { DPoP: dpop });
    expect(await client.tokenIntrospection(tool, token)).toMatchObject({
      active: true,
      token_type: 'DPoP',
      cnf: { jkt: await dpop.calculateThumbprint() },
    });
  });

  it('comes once for each proof, also when the same one arrives twice at once', async () => {
    const { clientId, secret } = customer.repository.toolClient;
    let proof = '';
    const tool = await customer.discoverTool();
    tool[client.customFetch] = async (url, options) => {
      proof = (options.headers as Record<string, string>)['dpop'] ?? '';
      return fetch(url, options as RequestInit);
    };
    await client.clientCredentialsGrant(tool, {}, { DPoP: await handle() });
    const ask = async (jwt: string) => {
      const response = await fetch(`${customer.issuer}/connect/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${clientId}:${secret.value}`)}`, dpop: jwt },
        body: new URLSearchParams({ grant_type: 'client_credentials' }),
      });
      return [response.status, ((await response.json()) as { error?: string }).error];
    };
    expect(await ask(proof)).toEqual([400, 'invalid_grant']);

    tool[client.customFetch] = async (url, options) => {
      proof = (options.headers as Record<string, string>)['dpop'] ?? '';
      const answers = await Promise.all([fetch(url, options as RequestInit), ...Array.from({ length: 5 }, () => ask(proof))]);
      const statuses = [answers[0] as Response, ...answers.slice(1)].map((answer) =>
        answer instanceof Response ? answer.status : answer[0],
      );
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      const [first] = answers;
      return first as Response;
    };
    await client.clientCredentialsGrant(tool, {}, { DPoP: await handle() }).catch((error: unknown) => {
      // Another of the six may be the one that is taken.
      expect(error).toMatchObject({ error: 'invalid_grant' });
    });
  });
});
