import { type CreatedMemberCredentialView, type Problem } from '@latchkey/contracts';
import { MemberCredentials, Members, Tenants, Webhooks } from '@latchkey/tenancy';
import { startAuthority, type RunningAuthority, type Tenant, type TestMember } from './testing/running-authority.js';

/* What a tenant can change of the rules for its members' credentials, each against the real token endpoint. */

let running: RunningAuthority;
let credentials: MemberCredentials;
let members: Members;
let tenants: Tenants;

beforeAll(async () => {
  running = await startAuthority();
  const { database, authority } = running;
  credentials = new MemberCredentials(database, authority.peppers, authority.directory);
  members = new Members(database, authority.directory);
  tenants = new Tenants(database, new Webhooks(database, authority.encryption));
});
afterAll(() => running.close());

const problem = (type: string) => expect.objectContaining({ type }) as Problem;

/** What a member's script has: a live token of a new credential. */
async function withToken(member: TestMember): Promise<CreatedMemberCredentialView & { token: string }> {
  const made = await credentials.create(member.actor);
  const answer = await running.token(made.clientId, made.secret.value);
  expect(answer.status).toBe(200);
  return { ...made, token: answer.body.access_token ?? '' };
}

const accepts = async ({ clientId, secret }: CreatedMemberCredentialView) => (await running.token(clientId, secret.value)).status === 200;

const takes = (token: string) => running.takes(token);

describe('the policy of the tenant', () => {
  const change = (target: Tenant, memberCredentials: object) => tenants.update(target.machine, { memberCredentials });

  it('has the defaults until it is changed, and keeps what a change does not name', async () => {
    const own = await running.newTenant('Policy');
    const defaults = {
      minimumRole: 'super-admin',
      onSecond: 'refuse',
      validDays: 3650,
      tokenSeconds: 86_400,
      revocation: 'own',
      allowFederated: false,
      allowUnderMfa: false,
    };
    expect((await tenants.get(own.machine)).memberCredentials).toEqual(defaults);
    await change(own, { validDays: 30 });
    expect((await change(own, { tokenSeconds: 600 })).memberCredentials).toEqual({ ...defaults, validDays: 30, tokenSeconds: 600 });
  });

  it('can let lesser roles have credentials, and take that back from those that were made', async () => {
    const own = await running.newTenant('Roles');
    await change(own, { minimumRole: 'developer' });
    const developer = await own.addMember('developer');
    const made = await withToken({ ...developer, actor: { ...developer.actor } });
    await expect(credentials.create((await own.addMember('viewer')).actor)).rejects.toEqual(problem('forbidden'));
    await change(own, { minimumRole: 'super-admin' });
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
  });

  it('can let a second replace the first, which is dead when the answer comes', async () => {
    const own = await running.newTenant('Replace');
    await change(own, { onSecond: 'replace' });
    const member = await own.addMember('super-admin');
    const first = await withToken(member);
    const second = await credentials.create(member.actor);
    expect(second.cutoff).toBeDefined();
    expect([await accepts(first), await takes(first.token), await accepts(second)]).toEqual([false, false, true]);
  });

  it('can set the life of credentials and of their tokens', async () => {
    const own = await running.newTenant('Lives');
    await change(own, { validDays: 7, tokenSeconds: 300 });
    const made = await credentials.create((await own.addMember('super-admin')).actor);
    expect((Date.parse(made.expiresAt) - Date.parse(made.createdAt)) / 86_400_000).toBeCloseTo(7, 3);
    const answer = await running.token(made.clientId, made.secret.value);
    expect(answer.body.expires_in).toBe(300);
    expect(answer.headers.get('latchkey-secret-expires')).toBe(new Date(made.expiresAt).toUTCString());
  });

  it('can let whoever may manage members revoke the credentials of others, but of nobody above them', async () => {
    const own = await running.newTenant('Revocation');
    await change(own, { revocation: 'members-write' });
    const [owner, member, other] = [await own.addMember('owner'), await own.addMember('super-admin'), await own.addMember('super-admin')];
    const [made, ofOwner] = [await withToken(member), await withToken(owner)];
    await members.revokeCredential(other.actor, member.id);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await expect(members.revokeCredential(other.actor, owner.id)).rejects.toEqual(problem('forbidden'));
    expect(await accepts(ofOwner)).toBe(true);
  });

  it('can let members have credentials who sign in by federation, and while MFA is enforced', async () => {
    const own = await running.newTenant('Lenient');
    const member = await own.addMember('super-admin');
    await running.test.owner.query('UPDATE members SET federated = true WHERE id = $1', [member.id]);
    await change(own, { allowFederated: true });
    const made = await withToken(member);
    await running.test.owner.query(`UPDATE tenants SET settings = settings || '{"mfaEnforced": true}' WHERE id = $1`, [own.id]);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await change(own, { allowUnderMfa: true });
    expect([await accepts(made), await takes(made.token)]).toEqual([true, true]);
  });

  it('is the strict one for a tenant whose settings are not what they should be, and harms nobody else’s check', async () => {
    const own = await running.newTenant('Broken');
    const made = await withToken(await own.addMember('super-admin'));
    const odd = { minimumRole: 'nobody', allowFederated: 'true', tokenSeconds: 'long' };
    await running.test.owner.query(`UPDATE tenants SET settings = jsonb_build_object('memberCredentials', $2::jsonb) WHERE id = $1`, [
      own.id,
      JSON.stringify(odd),
    ]);
    expect([await accepts(made), await takes(made.token)]).toEqual([false, false]);
    await running.test.owner.query(`UPDATE tenants SET settings = '{"memberCredentials": {"tokenSeconds": "long"}}' WHERE id = $1`, [
      own.id,
    ]);
    expect((await running.token(made.clientId, made.secret.value)).body.expires_in).toBe(86_400);
  });
});
