import { setTimeout as wait } from 'node:timers/promises';
import type { CreatedClientView, NewSecretView, ProvisionedRepositoryView, RegeneratedSecretView, UserView } from '@latchkey/contracts';
import { basic, Connections, form } from './connections.js';
import type { CallOutcome, CutOff, Entry, Span } from './history.js';
import type { Credential, HeldRepository, Holdings, Person, Tool } from './holdings.js';
import type { TrialNode } from './installation.js';
import type { Presenting } from './presenting.js';
import type { Random } from './random.js';
import { redirectUri, signIn } from './sign-in.js';
import type { TenantCalls, TenantReply } from './tenant-calls.js';

/** What all acts work with. */
export interface Stage {
  holdings: Holdings;
  tenant: TenantCalls;
  presenting: Presenting;
  random: Random;
  authorities: TrialNode[];
  record: (entry: Entry) => void;
  /** Raised when no further act is to begin. */
  stop: AbortSignal;
}

/** For so long a credential is presented more than others before it ends and after it has. */
const heatMillis = { before: 80, after: 250 };
const toolsPerRepository = 3;
const peoplePerRepository = 2;

/** Ends and renews credentials of every kind, by the calls that a customer has for it. */
export class Acts {
  readonly #stage: Stage;
  readonly #signIns: Map<string, Connections>;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#signIns = new Map(stage.authorities.map(({ name, origin }) => [name, new Connections(origin, 4)]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#signIns.values()].map((connections) => connections.close()));
  }

  /** Carries out acts one after the other. Several of these run side by side. */
  async perform(): Promise<void> {
    const { random, holdings, stop } = this.#stage;
    while (!stop.aborted) {
      await random.weighted([
        [30, () => this.#withTool((tool) => this.#regenerate(tool))],
        [8, () => this.#withTool((tool) => this.#rotate(tool))],
        [12, () => this.#withTool((tool) => this.#revokeSecret(tool))],
        [8, () => this.#withTool((tool) => this.#revokeToken(tool))],
        [8, () => this.#withTool((tool) => this.#deleteTool(tool))],
        [10, () => this.#withPerson((person) => this.#disable(person))],
        [6, () => this.#withPerson((person) => this.#changePassword(person))],
        [5, () => this.#withRepository((repository) => this.#suspend(repository))],
        [2, () => this.#withRepository((repository) => this.#deleteRepository(repository))],
      ])();
      for (const repository of holdings.repositories.filter(({ lost }) => !lost)) await this.#complete(repository);
      await wait(random.between(0, 60));
    }
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
        issuer: made.authorityUrl,
        appClientId: made.appClient.clientId,
        tools: [],
        people: [],
        inspector: undefined,
        busy: true,
        lost: false,
      };
      const inspector = this.#addTool(repository, made.toolClient.clientId, undefined);
      repository.tools = [];
      repository.inspector = this.#takeSecret(inspector, made.toolClient.secret, reply);
      holdings.repositories.push(repository);
      await this.#complete(repository);
      repository.busy = false;
      return;
    }
  }

  /** Brings a repository's clients and people back to their number. */
  async #complete(repository: HeldRepository): Promise<void> {
    const usable = (each: { lost: boolean }) => !each.lost;
    if (repository.people.filter(usable).length < peoplePerRepository) await this.#createPerson(repository);
    else if (repository.tools.filter(usable).length < toolsPerRepository) await this.#createTool(repository);
    else return;
    if (!this.#stage.stop.aborted && repository.busy) await this.#complete(repository);
  }

  async #createTool(repository: HeldRepository): Promise<void> {
    const person = this.#stage.random.next() < 0.3 ? repository.people.find(({ lost }) => !lost) : undefined;
    const body = { kind: 'tool', name: 'Tool', ...(person ? { userId: person.id } : {}) };
    const reply = await this.#stage.tenant.call('POST', `/v1/repositories/${repository.slug}/clients`, body);
    if (reply.outcome !== 'done') return;
    const made = reply.body as CreatedClientView;
    this.#takeSecret(this.#addTool(repository, made.clientId, person), made.secret!, reply);
  }

  #addTool(repository: HeldRepository, clientId: string, person: Person | undefined): Tool {
    const thing = this.#stage.holdings.name('client');
    const tool: Tool = { thing, repository, clientId, person, secrets: [], busy: false, lost: false };
    repository.tools.push(tool);
    return tool;
  }

  #takeSecret(tool: Tool, { id, value }: NewSecretView, issued: Span): Credential {
    const { repository, person } = tool;
    const version = this.#stage.holdings.name('version');
    const needs = [version, tool.thing, repository.thing, ...(person ? [person.thing] : [])];
    const secret = this.#stage.holdings.take({ kind: 'secret', value, serverId: id, repository, tool, needs, boundTo: [] }, issued);
    tool.secrets.push(secret);
    return secret;
  }

  async #createPerson(repository: HeldRepository): Promise<void> {
    const { holdings, tenant } = this.#stage;
    const password = `chaos ${Math.random().toString(36).slice(2)} password`;
    const loginName = holdings.name('person');
    const body = { loginName, password, administrator: true };
    const reply = await tenant.call('POST', `/v1/repositories/${repository.slug}/users`, body);
    if (reply.outcome !== 'done') return;
    const { id } = reply.body as UserView;
    const person: Person = { thing: holdings.name('user'), repository, id, loginName, password, busy: true, lost: false };
    repository.people.push(person);
    await this.#signIn(person);
    person.busy = false;
  }

  /** Two sessions: of one the token and the cookie are presented, of the other the refresh token, which uses its line up. */
  async #signIn(person: Person): Promise<void> {
    const { random, holdings } = this.#stage;
    const { repository } = person;
    for (const tracked of [['user-token', 'session'], ['refresh-token']] as const) {
      const connections = this.#signIns.get(random.pick([...this.#signIns.keys()]));
      const signedIn = connections && (await signIn(connections, person));
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

  async #regenerate(tool: Tool): Promise<void> {
    const reply = await this.#end(tool, 'regenerate', this.#secretsOf(tool), () =>
      this.#stage.tenant.call('POST', `${clientPath(tool)}/secrets/regenerate`, {}),
    );
    if (reply.outcome === 'done') this.#takeSecret(tool, (reply.body as RegeneratedSecretView).secret, reply);
  }

  /** A planned rotation: what an earlier one had left ends at once, the present secret when the overlap is over. */
  async #rotate(tool: Tool): Promise<void> {
    if (tool.secrets.length !== 1) return this.#regenerate(tool);
    const { tenant, record, holdings } = this.#stage;
    const overlapSeconds = 1;
    const [secret] = tool.secrets as [Credential];
    const reply = await tenant.call('POST', `${clientPath(tool)}/secrets/regenerate`, { overlapSeconds });
    const { begin, end, outcome } = reply;
    const { cutoff, secret: fresh } = (reply.body ?? {}) as Partial<RegeneratedSecretView>;
    const latest = cutoff ? Date.parse(cutoff.effectiveAt) - performance.timeOrigin + clockMarginMillis : 0;
    const planned = { earliest: begin + overlapSeconds * 1_000, latest: Math.max(end, latest) };
    record({ type: 'cut-off', act: 'planned rotation', thing: secret.needs[0]!, begin, end, outcome, planned });
    if (outcome === 'unknown') return holdings.lose(tool);
    if (outcome === 'refused') return undefined;
    if (fresh) this.#takeSecret(tool, fresh, reply);
    tool.secrets = tool.secrets.filter((each) => each !== secret);
    const ending = holdings.hangingOn(secret.needs[0]!);
    this.#heat(ending);
    await wait(Math.max(0, planned.latest - performance.now()));
    await this.#after(holdings.hangingOn(secret.needs[0]!));
    return undefined;
  }

  async #revokeSecret(tool: Tool): Promise<void> {
    const created = await this.#stage.tenant.call('POST', `${clientPath(tool)}/secrets`, {});
    if (created.outcome === 'done') this.#takeSecret(tool, created.body as NewSecretView, created);
    if (created.outcome === 'unknown') return this.#stage.holdings.lose(tool);
    const secret = tool.secrets[0];
    if (!secret) return undefined;
    await this.#end(tool, 'revoke a secret', [secret], () =>
      this.#stage.tenant.call('DELETE', `${clientPath(tool)}/secrets/${secret.serverId}`),
    );
    return undefined;
  }

  /** A tool ends one of its tokens itself (RFC 7009), at any of the authorities. */
  async #revokeToken(tool: Tool): Promise<void> {
    const { holdings, random, authorities } = this.#stage;
    const secret = tool.secrets.at(-1);
    const token = [...holdings.live].find((each) => each.kind === 'tool-token' && each.tool === tool);
    const connections = this.#signIns.get(random.pick(authorities).name);
    if (!secret || !token || !connections) return;
    const { headers, body } = form({ token: token.value });
    const authorization = basic(tool.clientId, secret.value);
    const path = `/${tool.repository.slug}/connect/revocation`;
    // A token that is not known is answered with 200 too (RFC 7009 §2.2), so only the living are revoked.
    await this.#end({ thing: token.needs[1]!, lost: false }, 'revoke a token', [token], async () => {
      const { begin, end, status } = await connections.call({ method: 'POST', path, headers: { ...headers, authorization }, body });
      const outcome: CallOutcome = status === 200 ? 'done' : status !== undefined && status < 500 ? 'refused' : 'unknown';
      return { begin, end, status, outcome, body: undefined };
    });
  }

  async #deleteTool(tool: Tool): Promise<void> {
    const reply = await this.#end(tool, 'delete a client', [tool.thing], () => this.#stage.tenant.call('DELETE', clientPath(tool)));
    if (reply.outcome === 'done') tool.repository.tools = tool.repository.tools.filter((each) => each !== tool);
  }

  async #disable(person: Person): Promise<void> {
    const { tenant, holdings, random, record } = this.#stage;
    const again = holdings.hangingOn(person.thing).filter(({ needs }) => needs.includes(person.thing));
    const reply = await this.#end(person, 'disable a user', [person.thing], () =>
      tenant.call('PATCH', userPath(person), { enabled: false }),
    );
    if (reply.outcome !== 'done') return;
    await wait(random.between(0, 300));
    const { begin, end, outcome } = await tenant.call('PATCH', userPath(person), { enabled: true });
    record({ type: 'revival', act: 'enable a user', thing: person.thing, begin, end, outcome });
    if (outcome !== 'done') return holdings.lose(person);
    holdings.revive(again.filter(({ tool }) => tool && !tool.lost && tool.repository.tools.includes(tool)));
    await this.#signIn(person);
  }

  async #changePassword(person: Person): Promise<void> {
    const { tenant } = this.#stage;
    const password = `chaos ${Math.random().toString(36).slice(2)} password`;
    const reply = await this.#end(
      person,
      'change a password',
      [person.thing],
      () => tenant.call('PATCH', userPath(person), { password }),
      true,
    );
    if (reply.outcome !== 'done') return;
    person.password = password;
    await this.#signIn(person);
  }

  async #suspend(repository: HeldRepository): Promise<void> {
    await this.#takeAway(repository, 'suspend a repository', ['POST', '/suspend'], ['POST', '/resume']);
  }

  async #deleteRepository(repository: HeldRepository): Promise<void> {
    await this.#takeAway(repository, 'delete a repository', ['DELETE', ''], ['POST', '/restore']);
  }

  async #takeAway(
    repository: HeldRepository,
    act: string,
    away: [method: 'POST' | 'DELETE', path: string],
    back: ['POST', string],
  ): Promise<void> {
    const { tenant, holdings, random, record } = this.#stage;
    const path = `/v1/repositories/${repository.slug}`;
    const again = holdings.hangingOn(repository.thing).filter(({ boundTo }) => !boundTo.includes(repository.thing));
    const reply = await this.#end(repository, act, [repository.thing], () => tenant.call(away[0], `${path}${away[1]}`));
    if (reply.outcome === 'refused') return;
    if (reply.outcome === 'done') {
      await wait(random.between(0, 300));
      const { begin, end, outcome } = await tenant.call(back[0], `${path}${back[1]}`);
      record({ type: 'revival', act: 'bring it back', thing: repository.thing, begin, end, outcome });
      if (outcome === 'done') {
        holdings.revive(again.filter(({ spent }) => !spent));
        for (const person of repository.people) await this.#signIn(person);
        return;
      }
      holdings.lose(repository);
    }
    holdings.repositories.splice(holdings.repositories.indexOf(repository), 1);
    await this.provision();
  }

  /**
   * One cut-off: heats what is about to end, makes the call, writes down what it was, and presents the dead everywhere the
   * moment it has answered.
   *
   * @param ended secrets, or things by their names.
   */
  async #end(
    owner: { thing: string; lost: boolean },
    act: string,
    ended: (Credential | string)[],
    call: () => Promise<TenantReply>,
    boundOnly = false,
  ): Promise<TenantReply> {
    const { holdings, record } = this.#stage;
    const things = ended.map((each) => (typeof each === 'string' ? each : each.kind === 'secret' ? each.needs[0]! : each.needs[1]!));
    const dying = () => [...new Set(things.flatMap((thing) => holdings.hangingOn(thing, boundOnly ? 'bound' : 'either')))];
    this.#heat(dying());
    await wait(heatMillis.before);
    const reply = await call();
    const { begin, end, outcome } = reply;
    for (const thing of things) {
      const entry: CutOff = { type: 'cut-off', act, thing, begin, end, outcome, ...(boundOnly ? { boundOnly } : {}) };
      record(entry);
    }
    if (outcome === 'unknown') holdings.lose(owner);
    if (outcome === 'done') await this.#after(dying());
    return reply;
  }

  /** They are dead: shows them to every process at once. */
  async #after(dead: Credential[]): Promise<void> {
    const { holdings, presenting, random } = this.#stage;
    holdings.bury(dead);
    for (const { tool } of dead) if (tool) tool.secrets = tool.secrets.filter((secret) => holdings.live.has(secret));
    this.#heat(dead);
    const shown = [
      ...dead.filter(({ kind }) => kind === 'secret'),
      ...random.shuffled(dead.filter(({ kind }) => kind !== 'secret')).slice(0, 6),
    ];
    // A process that is paused answers later; the next act does not wait for it.
    void presenting.everywhere(shown.filter(({ kind }) => kind !== 'refresh-token'));
    await wait(heatMillis.after);
    for (const credential of dead) holdings.hot.delete(credential);
  }

  #heat(credentials: Credential[]): void {
    for (const credential of credentials) this.#stage.holdings.hot.add(credential);
  }

  #secretsOf(tool: Tool): Credential[] {
    return tool.secrets.filter((secret) => this.#stage.holdings.live.has(secret));
  }

  async #withTool(act: (tool: Tool) => Promise<void>): Promise<void> {
    const free = (tool: Tool) => !tool.busy && !tool.lost && !tool.person?.busy && !tool.repository.busy && tool.secrets.length > 0;
    await this.#claim(this.#stage.holdings.repositories.flatMap(({ tools }) => tools).filter(free), act);
  }

  async #withPerson(act: (person: Person) => Promise<void>): Promise<void> {
    const free = (person: Person) =>
      !person.busy &&
      !person.lost &&
      !person.repository.busy &&
      !person.repository.tools.some((tool) => tool.person === person && tool.busy);
    await this.#claim(this.#stage.holdings.repositories.flatMap(({ people }) => people).filter(free), act);
  }

  async #withRepository(act: (repository: HeldRepository) => Promise<void>): Promise<void> {
    const free = ({ busy, lost, tools, people }: HeldRepository) => !busy && !lost && ![...tools, ...people].some((each) => each.busy);
    await this.#claim(this.#stage.holdings.repositories.filter(free), act);
  }

  /** One act at a time on each thing, so that what the call is about is known. */
  async #claim<T extends { busy: boolean }>(free: T[], act: (one: T) => Promise<void>): Promise<void> {
    if (free.length === 0) return;
    const one = this.#stage.random.pick(free);
    one.busy = true;
    try {
      await act(one);
    } finally {
      one.busy = false;
    }
  }
}

/** The server's clock and ours are one, but ours does not follow when it is set. */
const clockMarginMillis = 50;

const clientPath = (tool: Tool) => `/v1/repositories/${tool.repository.slug}/clients/${tool.clientId}`;
const userPath = (person: Person) => `/v1/repositories/${person.repository.slug}/users/${person.id}`;
