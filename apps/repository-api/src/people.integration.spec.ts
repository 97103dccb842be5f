import { allowForTest } from './testing/allow.js';
import { wellKnown } from '@latchkey/content';
import { signIn } from '@latchkey/credentials';
import { dataOf, errorOf } from './testing/answers.js';
import { RunningApp, type ProvisionedForTest } from './testing/running-app.js';

/** Users and groups as content. */
let app: RunningApp;
let acme: ProvisionedForTest;
/** The default tool's: an administrator. */
let tool: string;
/** Of someone who may do everything below /Root/IMS/Public, and is no administrator. */
let manager: string;
let managerId: number;
let adminId: number;

const password = 'correct horse battery staple';
const people = '/Root/IMS/Public';

beforeAll(async () => {
  app = await RunningApp.start();
  acme = await app.provision('acme', ['https://app.example.com/callback']);
  managerId = await app.person(acme, 'manager');
  adminId = await app.person(acme, 'carla', true);
  await allowForTest(app, acme, { nodeId: wellKnown.public, identityId: managerId });
  await allowForTest(app, acme, { nodeId: wellKnown.administrators, identityId: managerId });
});
afterAll(() => app.stop());
beforeEach(async () => {
  tool = await app.token(acme);
  manager = await app.token(acme, { clientId: acme.appClientId, userId: managerId });
});

const send = (method: string, path: string, body?: object, token: string | undefined = tool) =>
  app.call(acme, path, { method, token, ...(body ? { body: JSON.stringify(body) } : {}) });
let count = 0;
const makeUser = async (fields: object = {}, token = tool) => {
  const LoginName = `user${(count += 1)}`;
  const response = await send('POST', people, { __ContentType: 'User', LoginName, ...fields }, token);
  expect(response.status).toBe(201);
  return { ...(await dataOf(response)), LoginName } as unknown as { Id: number; Name: string; Path: string; LoginName: string };
};
const makeGroup = async (Name = `group${(count += 1)}`) =>
  dataOf(await send('POST', people, { __ContentType: 'Group', Name })) as unknown as Promise<{ Id: number; Path: string; Name: string }>;
const signsIn = async (name: string, typed = password) => !('refused' in (await signIn(app.database, acme, name, typed)));
const tokenOf = (userId: number) => app.token(acme, { clientId: acme.appClientId, userId });
const works = async (token: string) => (await app.call(acme, `/('Root')/GetCurrentUser`, { token })).status === 200;
const rows = async <T>(sql: string, ...values: unknown[]) => (await app.test.owner.query(sql, values)).rows as T[];
const members = async (path: string) =>
  (await dataOf(await send('GET', `${path}?$expand=Members&$select=Members/Name&metadata=no`)))['Members'] as { Name: string }[];

describe('a user', () => {
  it('that is created can sign in, and the password is nowhere', async () => {
    const made = await makeUser({ Password: password, Email: `anna${count}@example.com`, FullName: 'Anna Kiss', Description: 'd' });
    expect(made).toMatchObject({ Type: 'User', FullName: 'Anna Kiss', Domain: 'public', Enabled: true, Description: 'd', CreatedById: 12 });
    expect(JSON.stringify(made)).not.toContain(password);
    expect(await signsIn(made.LoginName)).toBe(true);
    expect(await works(await tokenOf(made.Id))).toBe(true);
    expect(
      await rows('SELECT action, actor_kind FROM audit_events WHERE target_kind = $1 AND target_id = $2', 'user', String(made.Id)),
    ).toEqual([{ action: 'user.created', actor_kind: 'user' }]);
  });

  it.each([
    [{}, /LoginName|loginname/i],
    [{ LoginName: 'x y' }, /loginname/],
    [{ LoginName: '../x' }, /loginname/],
    [{ LoginName: 'x\0' }, /loginname/],
    [{ LoginName: 'x', Email: 'nonsense' }, /email/],
    [{ LoginName: 'x', Password: 'short' }, /password/],
    [{ LoginName: 'x', Password: {} }, /password/],
    [{ LoginName: 'x', Name: 'y' }, /login name/],
    [{ LoginName: 'x', Colour: 'red' }, /Colour/],
    [{ LoginName: 'x', Enabled: 'maybe' }, /Enabled/],
  ])('is refused as a whole, and told why: %j', async (fields, words) => {
    const response = await send('POST', people, { __ContentType: 'User', ...fields });
    expect([response.status, (await errorOf(response)).message.value]).toEqual([400, expect.stringMatching(words)]);
    expect(await rows(`SELECT FROM repository_users WHERE login_name = 'x'`)).toEqual([]);
  });

  it('is made below /Root/IMS/Public and nowhere else', async () => {
    for (const parent of ['/Root/IMS/BuiltIn/Portal', '/Root/Content', '/Root'])
      expect((await send('POST', parent, { __ContentType: 'user', LoginName: 'elsewhere' })).status).toBe(400);
  });

  it('that gets another password is signed out everywhere, with proof', async () => {
    const { Id, LoginName, Path } = await makeUser({ Password: password });
    const token = await tokenOf(Id);
    expect((await send('PATCH', `/content(${Id})`, { Password: `${password}!` })).status).toBe(200);
    expect([await works(token), await signsIn(LoginName), await signsIn(LoginName, `${password}!`)]).toEqual([false, false, true]);
    const second = await tokenOf(Id);
    expect((await send('POST', `${people}('${Path.split('/').at(-1)}')/ChangePassword`, { password })).status).toBe(204);
    expect([await works(second), await signsIn(LoginName)]).toEqual([false, true]);
    expect(await rows('SELECT kind, effective_at IS NOT NULL AS told FROM cutoffs WHERE user_id = $1', Id)).toEqual([
      { kind: 'user.changed', told: true },
      { kind: 'user.changed', told: true },
    ]);
  });

  it('that is disabled is cut off, keys and all, until it is enabled', async () => {
    const { Id, LoginName } = await makeUser({ Password: password });
    const [token, key] = [await tokenOf(Id), await app.apiKey(acme, Id)];
    const byKey = () => app.call(acme, `/('Root')/GetCurrentUser`, { headers: { apikey: key.value } }).then(({ status }) => status);
    expect(await byKey()).toBe(200);
    expect(await dataOf(await send('PATCH', `/content(${Id})`, { Enabled: false }))).toMatchObject({ Enabled: false });
    expect([await works(token), await byKey(), await signsIn(LoginName)]).toEqual([false, 401, false]);
    await send('PATCH', `/content(${Id})`, { Enabled: true });
    expect([await works(token), await byKey(), await signsIn(LoginName)]).toEqual([false, 200, true]);
  });

  it.each(['DELETE', 'DeleteBatch'])('that is deleted for good by %s is gone, with its keys, and its login name is free', async (how) => {
    const { Id, LoginName, Path } = await makeUser({ Password: password, Email: `gone${count}@example.com` });
    const [token, key] = [await tokenOf(Id), await app.apiKey(acme, Id)];
    const done =
      how === 'DELETE'
        ? await send('DELETE', `/content(${Id})?permanent=true`)
        : await send('POST', `/('Root')/DeleteBatch`, { paths: [Path], permanent: true });
    expect(done.status).toBe(200);
    expect((await send('GET', `/content(${Id})`)).status).toBe(404);
    const byKey = await app.call(acme, `/('Root')/GetCurrentUser`, { headers: { apikey: key.value } });
    expect([await works(token), byKey.status, await signsIn(LoginName)]).toEqual([false, 401, false]);
    expect(await rows('SELECT kind FROM cutoffs WHERE user_id = $1 AND effective_at IS NOT NULL', Id)).toContainEqual({
      kind: 'user.deleted',
    });
    expect(
      await rows('SELECT email, name, password_hash, enabled FROM repository_users WHERE repository_id = $1 AND id = $2', acme.id, Id),
    ).toEqual([{ email: null, name: '', password_hash: null, enabled: false }]);
    expect((await send('POST', people, { __ContentType: 'User', LoginName })).status).toBe(201);
  });

  it('that a tool acts as is not deleted, nor one that every repository has', async () => {
    const { Id, LoginName } = await makeUser();
    await send('POST', `/('Root')/CreateClient`, { name: 'x', type: 'ExternalClient', userName: LoginName });
    expect((await send('DELETE', `/content(${Id})`)).status).toBe(409);
    for (const id of [wellKnown.admin, wellKnown.visitor, wellKnown.publicAdmin])
      expect([
        (await send('DELETE', `/content(${id})`)).status,
        (await send('PATCH', `/content(${id})`, { Password: password })).status,
      ]).toEqual([403, 403]);
  });

  it('keeps its login name and its name, and takes what clients send back', async () => {
    const { Id, LoginName } = await makeUser();
    const read = await dataOf(await send('GET', `/content(${Id})?metadata=no`));
    expect((await send('PATCH', `/content(${Id})`, read)).status).toBe(200);
    expect((await send('PATCH', `/content(${Id})`, { LoginName: 'other' })).status).toBe(400);
    expect((await send('PATCH', `/content(${Id})`, { Name: 'other' })).status).toBe(400);
    expect(await dataOf(await send('PATCH', `/content(${Id})`, { DisplayName: 'D', FullName: 'F' }))).toMatchObject({
      DisplayName: 'D',
      FullName: 'F',
      LoginName,
    });
    expect(await dataOf(await send('PATCH', `/content(${Id})`, { Email: `kept${Id}@example.com` }))).toMatchObject({ DisplayName: 'D' });
  });

  it('is changed only if it is still what the caller knows', async () => {
    const { Id, LoginName } = await makeUser({ Password: password });
    const late = await app.call(acme, `/content(${Id})`, {
      method: 'PATCH',
      token: tool,
      headers: { 'if-match': '"9"' },
      body: '{"Password":"another password"}',
    });
    expect([late.status, await signsIn(LoginName)]).toEqual([412, true]);
  });
});

describe('a group', () => {
  it('has members, nested, and gives them what it may do', async () => {
    const [user, inner, outer] = [await makeUser(), await makeGroup(), await makeGroup()];
    await allowForTest(app, acme, { nodeId: wellKnown.content, identityId: outer.Id });
    const token = await tokenOf(user.Id);
    const write = () => send('POST', '/Root/Content', { __ContentType: 'Folder' }, token).then(({ status }) => status);
    expect(await write()).toBe(403);
    expect((await send('POST', `/content(${inner.Id})/AddMembers`, { contentIds: [user.Id] })).status).toBe(204);
    expect((await send('POST', `/content(${outer.Id})/addmembers`, { contentIds: [inner.Id, inner.Id] })).status).toBe(204);
    expect(await write()).toBe(201);
    expect(await members(`/content(${outer.Id})`)).toEqual([{ Name: inner.Name }]);
    const roles = async (directOnly: boolean) =>
      (
        await dataOf(await send('GET', `/content(${user.Id})/GetParentGroups?directOnly=${directOnly}&$select=Name&metadata=no`))
      ).results.map(({ Name }) => Name);
    expect(await roles(true)).toEqual([inner.Name]);
    expect(new Set(await roles(false))).toEqual(new Set(['Everyone', inner.Name, outer.Name]));
    // As the administration tool reads who has signed in.
    const read = await dataOf(
      await send('GET', `/content(${user.Id})?$expand=AllRoles,AllRoles/Members&metadata=full&$inlinecount=allpages&$top=10000`),
    );
    expect(new Set((read['AllRoles'] as { Name: string }[]).map(({ Name }) => Name))).toEqual(
      new Set(['Everyone', inner.Name, outer.Name]),
    );
    expect((await send('POST', `/content(${inner.Id})/RemoveMembers`, { contentIds: [user.Id] })).status).toBe(204);
    expect(await write()).toBe(403);
  });

  it('is changed in its version alone when If-Match names one, and has another when somebody comes or goes', async () => {
    const [group, anna, bert] = [await makeGroup(), await makeUser(), await makeUser()];
    const at = `/content(${group.Id})`;
    const versionOf = async () => (await send('GET', at)).headers.get('etag') ?? '';
    const change = async (operation: string, contentIds: number[], match: string) => {
      const headers = { 'if-match': match };
      return (await app.call(acme, `${at}/${operation}`, { method: 'POST', token: tool, body: JSON.stringify({ contentIds }), headers }))
        .status;
    };
    const first = await versionOf();
    const together = await Promise.all([change('AddMembers', [anna.Id], first), change('AddMembers', [bert.Id], first)]);
    expect(together.toSorted((one, other) => one - other)).toEqual([204, 412]);
    const [inside] = await members(at);
    const [who, other] = inside?.Name === anna.Name ? [anna, bert] : [bert, anna];
    expect(await change('RemoveMembers', [who.Id], first)).toBe(412);
    const second = await versionOf();
    expect(second).not.toBe(first);
    // What changes nothing makes no version.
    expect([await change('AddMembers', [who.Id], second), await change('RemoveMembers', [other.Id], second)]).toEqual([204, 204]);
    expect(await change('RemoveMembers', [who.Id], second)).toBe(204);
    expect(await members(at)).toEqual([]);
    expect(await change('AddMembers', [who.Id], second)).toBe(412);
    expect(await change('AddMembers', [who.Id], '*')).toBe(204);
  });

  it('takes neither a circle, nor what is no identity, nor whom the caller does not see', async () => {
    const [a, b] = [await makeGroup(), await makeGroup()];
    await send('POST', `/content(${a.Id})/AddMembers`, { contentIds: [b.Id] });
    for (const ids of [[a.Id], [wellKnown.content], [wellKnown.everyone], [wellKnown.visitor], [], ['x'], [{}]])
      expect([ids, (await send('POST', `/content(${b.Id})/AddMembers`, { contentIds: ids })).status]).toEqual([ids, 400]);
    expect((await send('POST', `/content(${b.Id})/AddMembers`, { contentIds: [999_999] })).status).toBe(404);
    expect((await send('POST', `/content(${wellKnown.everyone})/AddMembers`, { contentIds: [adminId] })).status).toBe(403);
    expect((await send('POST', `/content(${wellKnown.administrators})/RemoveMembers`, { contentIds: [wellKnown.admin] })).status).toBe(403);
    const user = await makeUser();
    expect((await send('POST', `/content(${user.Id})/AddMembers`, { contentIds: [b.Id] })).status).toBe(400);
  });

  it('shows no member that is in the trash, until it is back', async () => {
    const [group, user] = [await makeGroup(), await makeUser()];
    await send('POST', `/content(${group.Id})/AddMembers`, { contentIds: [user.Id] });
    await send('DELETE', `/content(${user.Id})`);
    expect(await members(`/content(${group.Id})`)).toEqual([]);
    expect((await send('POST', `/content(${user.Id})/Restore`)).status).toBe(200);
    expect(await members(`/content(${group.Id})`)).toEqual([{ Name: user.Name }]);
  });

  it('is deleted for good with its memberships and permissions', async () => {
    const [group, user] = [await makeGroup(), await makeUser()];
    await send('POST', `/content(${group.Id})/AddMembers`, { contentIds: [user.Id] });
    await allowForTest(app, acme, { nodeId: wellKnown.content, identityId: group.Id });
    expect((await send('DELETE', `/content(${group.Id})?permanent=true`)).status).toBe(200);
    expect(await rows('SELECT FROM content_group_members WHERE group_id = $1', group.Id)).toEqual([]);
    expect((await send('DELETE', `/content(${wellKnown.administrators})`)).status).toBe(403);
  });
});

describe('whoever manages people and is no administrator', () => {
  it('makes, changes and deletes people', async () => {
    const user = await makeUser({}, manager);
    expect((await send('PATCH', `/content(${user.Id})`, { Password: `${password}!` }, manager)).status).toBe(200);
    expect((await send('DELETE', `/content(${user.Id})`, undefined, manager)).status).toBe(200);
  });

  it('makes nobody an administrator, not through a group either', async () => {
    const inner = await makeGroup();
    expect((await send('POST', `/content(${wellKnown.administrators})/AddMembers`, { contentIds: [inner.Id] })).status).toBe(204);
    for (const group of [wellKnown.administrators, inner.Id])
      for (const operation of ['AddMembers', 'RemoveMembers'])
        expect([group, (await send('POST', `/content(${group})/${operation}`, { contentIds: [managerId] }, manager)).status]).toEqual([
          group,
          403,
        ]);
    expect((await send('DELETE', `/content(${inner.Id})`, undefined, manager)).status).toBe(403);
    const user = await send(
      'POST',
      people,
      { __ContentType: 'User', LoginName: 'risen', administrator: true, Administrator: true },
      manager,
    );
    expect(user.status).toBe(400);
  });

  it('gets no second sign-in of anyone by copying or moving, and brings no administrator back', async () => {
    for (const operation of ['CopyBatch', 'MoveBatch']) {
      const done = await send('POST', `/('Root')/${operation}`, { paths: [adminId], targetPath: '/Root/IMS/BuiltIn/Portal' });
      expect([operation, await dataOf(done)]).toEqual([operation, expect.objectContaining({ __count: 0 })]);
    }
    const copied = await send('POST', `/('Root')/CopyBatch`, { paths: [adminId, managerId], targetPath: people }, manager);
    expect(await dataOf(copied)).toMatchObject({ __count: 0 });
    const ended = await app.person(acme, `ended${(count += 1)}`, true);
    expect((await send('DELETE', `/content(${ended})`)).status).toBe(200);
    expect((await send('POST', `/content(${ended})/Restore`, {}, manager)).status).toBe(403);
    for (const body of [{ Password: password }, { Enabled: true }])
      expect((await send('PATCH', `/content(${ended})`, body, manager)).status).not.toBe(200);
    const type = { __ContentType: 'ContentType', Name: 'Superuser', ParentTypeName: 'User' };
    expect((await send('POST', '/Root/System/Schema/ContentTypes', type, manager)).status).not.toBe(201);
  });

  it('takes over no administrator: not by password, address, disabling or deletion', async () => {
    const before = await rows('SELECT * FROM repository_users WHERE id = $1 AND repository_id = $2', adminId, acme.id);
    for (const body of [
      { Password: password },
      { Email: 'mine@example.com' },
      { Enabled: false },
      { password: `${password}x` },
      { FullName: 'Me' },
    ])
      expect([body, (await send('PATCH', `/content(${adminId})`, body, manager)).status]).toEqual([body, 403]);
    expect((await send('PUT', `/content(${adminId})`, { Password: password }, manager)).status).toBe(403);
    expect((await send('POST', `/content(${adminId})/ChangePassword`, { password }, manager)).status).toBe(403);
    expect((await send('DELETE', `/content(${adminId})`, undefined, manager)).status).toBe(403);
    expect(await dataOf(await send('POST', `/('Root')/DeleteBatch`, { paths: [adminId] }, manager))).toMatchObject({
      __count: 0,
      errors: [{ error: { code: 'Forbidden' } }],
    });
    const key = await app.apiKey(acme, adminId);
    expect((await send('POST', `/content(${adminId})/CreateApiKey`, {}, manager)).status).toBe(403);
    expect(await (await send('GET', `/content(${adminId})/GetApiKeys`, undefined, manager)).json()).toEqual({ apiKeys: [] });
    expect((await send('POST', `/content(${adminId})/DeleteApiKey`, { apiKey: key.value }, manager)).status).toBe(404);
    expect((await app.call(acme, `/('Root')/GetCurrentUser`, { headers: { apikey: key.value } })).status).toBe(200);
    expect(await rows('SELECT * FROM repository_users WHERE id = $1 AND repository_id = $2', adminId, acme.id)).toEqual(before);
  });
});

describe('whoever may do nothing with people', () => {
  it('changes nobody, itself included, and makes nobody', async () => {
    const [me, other, group] = [await makeUser(), await makeUser(), await makeGroup()];
    const mine = await tokenOf(me.Id);
    expect((await send('PATCH', `/content(${me.Id})`, { Password: `${password}!` }, mine)).status).toBe(403);
    expect((await send('POST', `/content(${me.Id})/ChangePassword`, { password: `${password}!` }, mine)).status).toBe(403);
    for (const [method, path] of [
      ['PATCH', ''],
      ['DELETE', ''],
      ['POST', '/ChangePassword'],
    ] as const)
      expect((await send(method, `/content(${other.Id})${path}`, { Password: password, password }, mine)).status).toBe(404);
    expect((await send('POST', `/content(${group.Id})/AddMembers`, { contentIds: [me.Id] }, mine)).status).toBe(404);
    expect((await send('POST', people, { __ContentType: 'User', LoginName: 'made' }, mine)).status).toBe(404);
    expect((await send('GET', `/content(${me.Id})/GetParentGroups`, undefined, mine)).status).toBe(200);
  });

  it('nor does a credential without users:write, whatever its user may do', async () => {
    const limited = await app.token(acme, { scope: 'content:read content:write users:read' });
    const { Id } = await makeUser();
    for (const [method, path, body] of [
      ['PATCH', `/content(${Id})`, { Password: password }],
      ['DELETE', `/content(${Id})`, undefined],
      ['POST', people, { __ContentType: 'User', LoginName: 'made' }],
      ['POST', `/content(${wellKnown.administrators})/AddMembers`, { contentIds: [Id] }],
    ] as const) {
      const refused = await send(method, path, body, limited);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([403, expect.stringContaining('scope="users:write"')]);
    }
  });
});
