import type { Page, RepositoryView, SlugAvailabilityView, UserView } from '@latchkey/contracts';
import { startApi, type RunningApi } from './testing/running-api.js';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi();
  for (const slug of ['kept', 'gone', 'long-gone'])
    await api.tenant.call('POST', '/v1/repositories', { slug, name: slug, environment: 'production' });
  for (const slug of ['gone', 'long-gone']) await api.tenant.call('DELETE', `/v1/repositories/${slug}`);
  await api.test.owner.query(`UPDATE repositories SET deleted_at = now() - interval '31 days' WHERE slug = 'long-gone'`);
});
afterAll(() => api.close());

const list = async (query: string, caller = api.tenant) =>
  ((await (await caller.call('GET', `/v1/repositories${query}`)).json()) as { items: RepositoryView[] }).items;

describe('the list of deleted repositories', () => {
  it('has those that can be restored, and no others', async () => {
    const [gone, ...more] = await list('?deleted=true');
    expect(gone).toMatchObject({ slug: 'gone', status: 'deleted', deletedAt: expect.any(String) as string });
    expect(more).toEqual([]);
    expect(await list('?deleted=true', api.stranger)).toEqual([]);
    expect((await list('')).map(({ slug }) => slug)).toEqual(['kept']);
    expect((await api.tenant.call('GET', '/v1/repositories?deleted=maybe')).status).toBe(400);
  });

  it('loses one that is restored', async () => {
    expect((await api.tenant.call('POST', '/v1/repositories/gone/restore')).status).toBe(200);
    expect(await list('?deleted=true')).toEqual([]);
  });
});

describe('a search', () => {
  const found = async (words: string, caller = api.tenant) =>
    (await list(`?search=${encodeURIComponent(words)}`, caller)).map(({ slug }) => slug);

  it('is refused by a list that is not searched, instead of ignored', async () => {
    const answers = ['/v1/members', '/v1/invitations'].map(async (path) => (await api.tenant.call('GET', `${path}?search=olga`)).status);
    expect(await Promise.all(answers)).toEqual([200, 400]);
  });

  it('finds repositories by a part of their name or slug, in capitals or not, in pages, and nobody else’s', async () => {
    for (const [slug, name] of [
      ['crm-europe', 'Customers of ÄGYPTEN, 100%'],
      ['crm-asia', 'Customers of Asia'],
    ])
      await api.tenant.call('POST', '/v1/repositories', { slug, name, environment: 'production' });
    expect([await found('CRM-'), await found(' customers OF a'), await found('ägypten'), await found('%'), await found('_')]).toEqual([
      ['crm-europe', 'crm-asia'],
      ['crm-asia'],
      ['crm-europe'],
      ['crm-europe'],
      [],
    ]);
    const first = (await (await api.tenant.call('GET', '/v1/repositories?search=crm&limit=1')).json()) as Page<RepositoryView>;
    expect(await list(`?search=crm&limit=1&after=${first.next}`)).toMatchObject([{ slug: 'crm-asia' }]);
    expect(await found('crm', api.stranger)).toEqual([]);
    expect((await api.tenant.call('GET', '/v1/repositories?search=%07')).status).toBe(400);
  });

  it('finds users by a part of their name, user name or e-mail address', async () => {
    const users = '/v1/repositories/kept/users';
    const ids: Record<string, number> = {};
    for (const user of [
      { loginName: 'Öz', name: 'Özlem Kaya' },
      { loginName: 'bob', email: 'bob@Kayak.example.com' },
    ])
      ids[user.loginName] = ((await (await api.tenant.call('POST', users, user)).json()) as UserView).id;
    const found = async (words: string) =>
      ((await (await api.tenant.call('GET', `${users}?search=${encodeURIComponent(words)}`)).json()) as Page<UserView>).items.map(
        ({ id }) => id,
      );
    expect([await found('KAYA'), await found('özlem'), await found('BO'), await found('nobody')]).toEqual([
      [ids['Öz'], ids['bob']],
      [ids['Öz']],
      [ids['bob']],
      [],
    ]);
  });
});

describe('the availability of a slug', () => {
  const look = async (slug: string, caller = api.stranger) => {
    const response = await caller.call('GET', `/v1/slug-availability?slug=${encodeURIComponent(slug)}`);
    return [response.status, ((await response.json()) as SlugAvailabilityView).available] as const;
  };

  it('is what creating with it would say, also where it is or was somebody else’s', async () => {
    for (const [slug, available] of [
      ['free-one', true],
      ['kept', false],
      ['long-gone', false],
      ['console', false],
      ['Ab', false],
      ['a--b', false],
      ["x'; --", false],
    ] as const) {
      expect([slug, ...(await look(slug))]).toEqual([slug, 200, available]);
    }
  });

  it('is told to those who may create, and not whose it is', async () => {
    const viewer = await api.addMember('viewer');
    expect((await viewer.call('GET', '/v1/slug-availability?slug=kept')).status).toBe(403);
    const answer = await (await api.stranger.call('GET', '/v1/slug-availability?slug=kept')).json();
    expect(answer).toEqual({ slug: 'kept', available: false, fault: 'is or was in use' });
  });
});
