import type {
  ConsoleView,
  CreatedApiKeyView,
  CreatedClientView,
  CreatedInvitationView,
  CreatedMemberCredentialView,
  MemberView,
  NewSecretView,
  Page,
  ProvisionedRepositoryView,
  UserView,
} from '@latchkey/contracts';
import { Connections, form } from './connections.js';
import type { Span } from './history.js';
import type { Credential, HeldRepository, Holdings, Member, Person, Tool } from './holdings.js';
import type { TrialNode } from './installation.js';
import type { Random } from './random.js';
import { signIn } from './sign-in.js';
import { userPath, type TenantCalls, type TenantReply } from './tenant-calls.js';

/** What supplies come from and go to. */
export interface Source {
  holdings: Holdings;
  tenant: TenantCalls;
  random: Random;
  authorities: TrialNode[];
  /** Raised when nothing further is to be made. */
  stop: AbortSignal;
}

const toolsPerRepository = 3;
const peoplePerRepository = 2;
const keysPerPerson = 2;
const membersOfTenant = 2;

const redirectUri = 'http://localhost/signed-in';

/** The least that a member must be to have a credential here, and one who is less. */
export const memberRoles = { with: 'developer', without: 'viewer' };

/** Makes repositories, clients, people and keys, and makes good what was ended. */
export class Supplies {
  readonly #stage: Source;
  readonly #authorities: Connections[];
  readonly #signingIn = new Map<Person, Promise<void>>();

  constructor(source: Source) {
    this.#stage = source;
    this.#authorities = source.authorities.map(({ origin }) => new Connections(origin, 4));
  }

  /** Waits for the sign-ins that are under way. */
  async close(): Promise<void> {
    await Promise.all(this.#signingIn.values());
    await Promise.all(this.#authorities.map((connections) => connections.close()));
  }

  /** Makes one of the things that were lost or ended. */
  async makeGood(): Promise<void> {
    const { holdings, random } = this.#stage;
    const lost = holdings.repositories.findIndex((repository) => repository.lost);
    if (lost >= 0) {
      holdings.repositories.splice(lost, 1);
      await this.provision();
    }
    const idle = holdings.repositories.filter(({ busy }) => !busy);
    if (idle.length > 0) await this.#complete(random.pick(idle));
  }

  /** Makes a repository with people and clients. Tried until it is there. */
  async provision(): Promise<void> {
    const { tenant, holdings, stop } = this.#stage;
    while (!stop.aborted) {
      const slug = `fire-${Math.random().toString(36).slice(2, 12)}`;
      const body = { slug, name: 'Fire', environment: 'production', redirectUris: [redirectUri] };
      const reply = await tenant.call('POST', '/v1/repositories', body);
      if (reply.outcome !== 'done') continue;
      const made = reply.body as ProvisionedRepositoryView;
      const repository: HeldRepository = {
        thing: holdings.name('repository'),
        slug,
        appClientId: made.appClient.clientId,
        redirectUri,
        isConsole: false,
        tools: [],
        people: [],
        members: [],
        inspector: undefined,
        busy: true,
        lost: false,
      };
      const inspector = this.#addTool(repository, made.toolClient.clientId, undefined);
      repository.tools = [];
      repository.inspector = this.takeSecret(inspector, made.toolClient.secret, reply);
      holdings.repositories.push(repository);
      while (!stop.aborted && (await this.#complete(repository)));
      repository.busy = false;
      return;
    }
  }

  /**
   * The console, whose clients are the credentials of the tenant and of its members. It is there from the start and nothing
   * happens to it, but it has its clients before the first act. Others than a member may revoke what is theirs here, as the driver is nobody's but the tenant's.
   */
  async enterConsole(): Promise<void> {
    const { holdings, tenant, stop } = this.#stage;
    const memberCredentials = { minimumRole: memberRoles.with, revocation: 'members-write' };
    await this.#untilDone(() => tenant.call('PATCH', '/v1/tenant', { memberCredentials }));
    const told = await this.#untilDone(() => tenant.call('GET', '/v1/console'));
    if (told.outcome !== 'done') return;
    const { clientId: appClientId } = told.body as ConsoleView;
    const app = { appClientId, redirectUri: `${tenant.portalUrl}/signed-in` };
    const nothing = { tools: [], people: [], members: [], inspector: undefined };
    const thing = holdings.name('console');
    const entered: HeldRepository = { ...app, ...nothing, thing, slug: 'console', isConsole: true, busy: true, lost: false };
    holdings.repositories.push(entered);
    while (!stop.aborted && (await this.#complete(entered)));
    entered.busy = false;
  }

  /** @returns what is not done only when nothing further is to be made. */
  async #untilDone(call: () => Promise<TenantReply>): Promise<TenantReply> {
    for (;;) {
      const reply = await call();
      if (reply.outcome === 'done' || this.#stage.stop.aborted) return reply;
    }
  }

  /** Makes one of the things that a repository lacks. @returns whether it lacked any. */
  async #complete(repository: HeldRepository): Promise<boolean> {
    const { people, tools, members, isConsole } = repository;
    const keyless = people.find((person) => !person.lost && !person.busy && person.keys.length < keysPerPerson);
    const tokens = [...this.#stage.holdings.live].filter(({ kind }) => kind === 'user-token');
    const signedOut = people.find((each) => !each.lost && !this.#signingIn.has(each) && !tokens.some(({ person }) => person === each));
    const count = (things: { lost: boolean }[]) => things.filter(({ lost }) => !lost).length;
    const bare = members.find(({ lost, busy, tool }) => !lost && !busy && !tool);
    if (!isConsole && count(people) < peoplePerRepository) await this.#createPerson(repository);
    else if (count(tools.filter(({ member }) => !member)) < toolsPerRepository) await this.#createTool(repository);
    else if (isConsole && count(members) < membersOfTenant) await this.#createMember(repository);
    else if (bare) await whileBusy(bare, () => this.#createMemberCredential(repository, bare));
    else if (keyless) await whileBusy(keyless, () => this.#createKey(keyless));
    else if (signedOut) this.signInSoon(signedOut);
    else return false;
    return true;
  }

  async #createTool(repository: HeldRepository): Promise<void> {
    const person = this.#stage.random.next() < 0.3 ? repository.people.find(({ lost }) => !lost) : undefined;
    const { tenant } = this.#stage;
    const body = { kind: 'tool', name: 'Tool', ...(person ? { userId: person.id } : {}) };
    const reply = await (repository.isConsole
      ? tenant.call('POST', '/v1/credentials', { name: 'Fire', permissions: ['tenant:read'] })
      : tenant.call('POST', `/v1/repositories/${repository.slug}/clients`, body));
    if (reply.outcome !== 'done') return;
    const made = reply.body as CreatedClientView;
    this.takeSecret(this.#addTool(repository, made.clientId, person), made.secret!, reply);
  }

  #addTool(repository: HeldRepository, clientId: string, person: Person | undefined, member?: Member): Tool {
    const thing = this.#stage.holdings.name('client');
    const tool: Tool = { thing, repository, clientId, person, member, secrets: [], busy: false, lost: false };
    repository.tools.push(tool);
    return tool;
  }

  /** Invites somebody, who takes the invitation up. Whoever cannot, because a process is away, is given up. */
  async #createMember(repository: HeldRepository): Promise<void> {
    const { holdings, tenant, random } = this.#stage;
    const invited = await tenant.call('POST', '/v1/invitations', { role: memberRoles.with });
    if (invited.outcome !== 'done') return;
    const { link } = invited.body as CreatedInvitationView;
    const [loginName, password] = [`${holdings.name('member')}-${Math.random().toString(36).slice(2, 8)}`, 'a chaotic pass phrase'];
    const typed = { login: loginName, name: loginName, email: `${loginName}@example.com`, password, again: password };
    const accepted = await random.pick(this.#authorities).call({ method: 'POST', path: new URL(link).pathname, ...form(typed) });
    const listed = accepted.status === 200 && (await tenant.call('GET', '/v1/members?limit=200'));
    const found = listed && (listed.body as Page<MemberView> | undefined)?.items?.find((each) => each.loginName === loginName);
    if (!found) return;
    repository.members.push({ thing: loginName, id: found.id, loginName, password, tool: undefined, busy: false, lost: false });
  }

  /** A member makes a credential in person: signed in, and with the token of that. */
  async #createMemberCredential(repository: HeldRepository, member: Member): Promise<void> {
    const { tenant, random } = this.#stage;
    const signedIn = await signIn(random.pick(this.#authorities), { repository, ...member });
    if (!signedIn) return;
    const reply = await tenant.callAs(signedIn.accessToken, 'POST', '/v1/me/credential');
    // Whether there is one is not known, or it is not ours to know.
    if (reply.outcome !== 'done') return void (member.lost = true);
    const made = reply.body as CreatedMemberCredentialView;
    member.tool = this.#addTool(repository, made.clientId, undefined, member);
    this.takeSecret(member.tool, made.secret, reply);
  }

  /** A secret that a call has just shown. */
  takeSecret(tool: Tool, { id, value }: NewSecretView, issued: Span): Credential {
    const { repository, person } = tool;
    const version = this.#stage.holdings.name('version');
    const needs = [version, tool.thing, repository.thing, ...(person ? [person.thing] : [])];
    const secret = this.#stage.holdings.take({ kind: 'secret', value, serverId: id, repository, tool, needs, boundTo: [] }, issued);
    tool.secrets.push(secret);
    return secret;
  }

  async #createKey(person: Person): Promise<void> {
    const { tenant, holdings } = this.#stage;
    const { repository } = person;
    const reply = await tenant.call('POST', `${userPath(person)}/api-keys`, { name: 'Fire' });
    if (reply.outcome !== 'done') return;
    const { id, value } = reply.body as CreatedApiKeyView;
    const needs = [holdings.name('key'), person.thing, repository.thing];
    person.keys.push(holdings.take({ kind: 'api-key', value, serverId: id, repository, person, needs, boundTo: [] }, reply));
  }

  async #createPerson(repository: HeldRepository): Promise<void> {
    const { holdings, tenant } = this.#stage;
    const password = `chaos ${Math.random().toString(36).slice(2)} password`;
    const loginName = holdings.name('person');
    const body = { loginName, password, administrator: true };
    const reply = await tenant.call('POST', `/v1/repositories/${repository.slug}/users`, body);
    if (reply.outcome !== 'done') return;
    const { id } = reply.body as UserView;
    const person: Person = { thing: holdings.name('user'), repository, id, loginName, password, keys: [], busy: true, lost: false };
    repository.people.push(person);
    person.busy = false;
    this.signInSoon(person);
  }

  /** Signing in takes many steps, so nobody waits for it. What it gives is issued when it is over. */
  signInSoon(person: Person): void {
    if (this.#signingIn.has(person)) return;
    this.#signingIn.set(
      person,
      this.#signIn(person).finally(() => this.#signingIn.delete(person)),
    );
  }

  /** Two sessions: of one the token and the cookie are presented, of the other the refresh token, which uses its line up. */
  async #signIn(person: Person): Promise<void> {
    const { random, holdings } = this.#stage;
    const { repository } = person;
    for (const tracked of [['user-token', 'session'], ['refresh-token']] as const) {
      const signedIn = await signIn(random.pick(this.#authorities), person);
      if (!signedIn) continue;
      const common = { repository, person };
      for (const kind of tracked) {
        if (kind === 'user-token') {
          const expires = signedIn.begin + signedIn.expiresIn * 1_000;
          holdings.take(
            { ...common, kind, value: signedIn.accessToken, needs: [], boundTo: [person.thing, repository.thing], expires },
            signedIn,
          );
        } else {
          const value = kind === 'session' ? signedIn.cookies : signedIn.refreshToken;
          holdings.take({ ...common, kind, value, needs: [repository.thing], boundTo: [person.thing] }, signedIn);
        }
      }
    }
  }
}

/** One act at a time on each thing, so that what a call is about is known. */
export async function whileBusy(thing: { busy: boolean }, act: () => Promise<void>): Promise<void> {
  thing.busy = true;
  try {
    await act();
  } finally {
    thing.busy = false;
  }
}
