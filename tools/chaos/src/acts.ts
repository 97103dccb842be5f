import { setTimeout as wait } from 'node:timers/promises';
import type { NewSecretView, RegeneratedSecretView } from '@latchkey/contracts';
import { basic, Connections, form } from './connections.js';
import type { CallOutcome, CutOff, Entry } from './history.js';
import type { Credential, HeldRepository, Holdings, Member, Person, Tool } from './holdings.js';
import type { TrialNode } from './installation.js';
import type { Presenting } from './presenting.js';
import type { Random } from './random.js';
import { memberRoles, whileBusy, type Supplies } from './supplies.js';
import { clientPath, memberPath, regenerationPath, userPath, type TenantCalls, type TenantReply } from './tenant-calls.js';

/** What all acts work with. */
export interface Stage {
  holdings: Holdings;
  supplies: Supplies;
  tenant: TenantCalls;
  presenting: Presenting;
  random: Random;
  authorities: TrialNode[];
  record: (entry: Entry) => void;
  /** Raised when no further act is to begin. */
  stop: AbortSignal;
}

/** Whom a call is about, and what they lose by it. */
interface Owner {
  thing: string;
  lost: boolean;
  secrets?: Credential[];
  keys?: Credential[];
  people?: Person[];
}

/** For so long a credential is presented more than others before it ends and after it has. */
const heatMillis = { before: 80, after: 100 };
/** No run takes so long: what is to end then ends earlier or not at all. */
const longOverlapSeconds = 86_400;
/** Hot until well after the call, however long that takes to answer. */
const hotMillis = 2_000;

/** Ends and renews credentials of every kind, by the calls that a customer has for it. */
export class Acts {
  readonly #stage: Stage;
  /** By the authority's name, for what a tool does there itself. */
  readonly #authorities: Map<string, Connections>;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#authorities = new Map(stage.authorities.map(({ name, origin }) => [name, new Connections(origin, 4)]));
  }

  async close(): Promise<void> {
    await Promise.all([...this.#authorities.values()].map((connections) => connections.close()));
  }

  /** Carries out acts one after the other. Several of these run side by side. */
  async perform(): Promise<void> {
    const { random, stop } = this.#stage;
    while (!stop.aborted) {
      await random.weighted([
        [30, () => this.#withTool((tool) => this.#regenerate(tool))],
        [8, () => this.#withTool((tool) => this.#rotate(tool))],
        [8, () => this.#withTool((tool) => this.#endRotation(tool))],
        [12, () => this.#withTool((tool) => this.#revokeSecret(tool))],
        [8, () => this.#withTool((tool) => this.#revokeToken(tool))],
        [8, () => this.#withTool((tool) => this.#deleteTool(tool))],
        [10, () => this.#withPerson((person) => this.#disable(person))],
        [6, () => this.#withPerson((person) => this.#changePassword(person))],
        [12, () => this.#withPerson((person) => this.#deleteKeys(person))],
        [8, () => this.#withMember((member, tool) => this.#endMembersCredential(member, tool))],
        [5, () => this.#withRepository((repository) => this.#suspend(repository))],
        [2, () => this.#withRepository((repository) => this.#deleteAllKeys(repository))],
        [2, () => this.#withRepository((repository) => this.#deleteRepository(repository))],
      ])();
      await this.#stage.supplies.makeGood();
      await wait(random.between(0, 60));
    }
  }

  async #regenerate(tool: Tool): Promise<void> {
    const reply = await this.#end(tool, 'regenerate', tool.secrets, () => this.#stage.tenant.call('POST', regenerationPath(tool), {}));
    if (reply.outcome === 'done') this.#stage.supplies.takeSecret(tool, (reply.body as RegeneratedSecretView).secret, reply);
  }

  /** A planned rotation: what an earlier one had left ends at once, the present secret when the overlap is over. */
  async #rotate(tool: Tool): Promise<void> {
    if (tool.secrets.length !== 1) return this.#regenerate(tool);
    const { tenant, record, holdings } = this.#stage;
    const overlapSeconds = 1;
    const [secret] = tool.secrets as [Credential];
    const reply = await tenant.call('POST', regenerationPath(tool), { overlapSeconds });
    const { begin, end, outcome } = reply;
    const { cutoff, secret: fresh } = (reply.body ?? {}) as Partial<RegeneratedSecretView>;
    const latest = cutoff ? Date.parse(cutoff.effectiveAt) - performance.timeOrigin + clockMarginMillis : 0;
    const planned = { earliest: begin + overlapSeconds * 1_000, latest: Math.max(end, latest) };
    record({ type: 'cut-off', act: 'planned rotation', thing: secret.needs[0]!, begin, end, outcome, planned });
    if (outcome === 'unknown') return holdings.lose(tool);
    if (outcome === 'refused') return undefined;
    if (fresh) this.#stage.supplies.takeSecret(tool, fresh, reply);
    tool.secrets = tool.secrets.filter((each) => each !== secret);
    const ending = holdings.hangingOn(secret.needs[0]!);
    this.#heat(ending);
    await wait(Math.max(0, planned.latest - performance.now()));
    await this.#after(holdings.hangingOn(secret.needs[0]!));
    return undefined;
  }

  /** A planned rotation that ends before its time: finished, the earlier secret ends; cancelled, the newer one. */
  async #endRotation(tool: Tool): Promise<void> {
    if (tool.secrets.length !== 1) return this.#regenerate(tool);
    const { tenant, random, supplies, holdings } = this.#stage;
    const [earlier] = tool.secrets as [Credential];
    const reply = await tenant.call('POST', regenerationPath(tool), { overlapSeconds: longOverlapSeconds });
    if (reply.outcome === 'unknown') return holdings.lose(tool);
    if (reply.outcome === 'refused') return undefined;
    const { cutoff, secret } = reply.body as RegeneratedSecretView;
    const newer = supplies.takeSecret(tool, secret, reply);
    await wait(random.between(0, 300));
    const [how, ending] = random.pick([
      ['finish', earlier],
      ['cancel', newer],
    ] as const);
    const path = `${clientPath(tool)}/rotations/${cutoff.id}/${how}`;
    await this.#end(tool, `${how} a rotation`, [ending], () => tenant.call('POST', path));
    return undefined;
  }

  async #revokeSecret(tool: Tool): Promise<void> {
    if (tool.repository.isConsole) return this.#regenerate(tool);
    const created = await this.#stage.tenant.call('POST', `${clientPath(tool)}/secrets`, {});
    if (created.outcome === 'done') this.#stage.supplies.takeSecret(tool, created.body as NewSecretView, created);
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
    const token = [...holdings.live].find((each) => isToken(each) && each.tool === tool);
    const connections = this.#authorities.get(random.pick(authorities).name);
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
    holdings.revive(again.filter(({ tool }) => !tool || (!tool.lost && tool.repository.tools.includes(tool))));
    this.#stage.supplies.signInSoon(person);
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
    this.#stage.supplies.signInSoon(person);
  }

  /** The credential of a member ends when it is revoked, when the member may have none any more, and with the member. */
  async #endMembersCredential(member: Member, tool: Tool): Promise<void> {
    const { tenant, random } = this.#stage;
    const path = memberPath(member);
    const [act, call] = random.pick<[string, () => Promise<TenantReply>]>([
      ['revoke the credential of a member', () => tenant.call('DELETE', `${path}/credential`)],
      ['demote a member', () => tenant.call('PATCH', path, { role: memberRoles.without })],
      ['remove a member', () => tenant.call('DELETE', path)],
    ]);
    const { outcome } = await this.#end(tool, act, [tool.thing], call);
    if (outcome === 'refused') return;
    const { repository } = tool;
    repository.tools = repository.tools.filter((each) => each !== tool);
    const promoted = act === 'demote a member' ? await tenant.call('PATCH', path, { role: memberRoles.with }) : undefined;
    if (outcome === 'unknown' || act === 'remove a member' || (promoted && promoted.outcome !== 'done'))
      repository.members = repository.members.filter((each) => each !== member);
    else member.tool = undefined;
  }

  /** One key of a person, or all of them. */
  async #deleteKeys(person: Person): Promise<void> {
    const { tenant, random } = this.#stage;
    const { keys } = person;
    if (keys.length === 0) return;
    const all = random.next() < 0.3;
    const ended = all ? keys : [random.pick(keys)];
    const path = `${userPath(person)}/api-keys${all ? '' : `/${ended[0]!.serverId}`}`;
    await this.#end(person, all ? 'delete all keys of a user' : 'delete a key', ended, () => tenant.call('DELETE', path));
  }

  async #deleteAllKeys(repository: HeldRepository): Promise<void> {
    const keys = repository.people.flatMap((person) => person.keys);
    const path = `/v1/repositories/${repository.slug}/api-keys`;
    if (keys.length > 0)
      await this.#end(repository, 'delete all keys of a repository', keys, () => this.#stage.tenant.call('DELETE', path));
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
    if (reply.outcome !== 'done') return;
    await wait(random.between(0, 300));
    const { begin, end, outcome } = await tenant.call(back[0], `${path}${back[1]}`);
    record({ type: 'revival', act: 'bring it back', thing: repository.thing, begin, end, outcome });
    if (outcome !== 'done') return holdings.lose(repository);
    holdings.revive(again.filter(({ kind, spent }) => kind !== 'refresh-token' || !spent));
    for (const person of repository.people) this.#stage.supplies.signInSoon(person);
  }

  /**
   * One cut-off: heats what is about to end, makes the call, writes down what it was, and presents the dead everywhere the
   * moment it has answered.
   *
   * @param ended secrets, or things by their names.
   */
  async #end(
    owner: Owner,
    act: string,
    ended: (Credential | string)[],
    call: () => Promise<TenantReply>,
    boundOnly = false,
  ): Promise<TenantReply> {
    const { holdings, record } = this.#stage;
    const things = ended.map((each) => (typeof each === 'string' ? each : isToken(each) ? each.needs[1]! : each.needs[0]!));
    const isEnding = ({ boundTo }: Credential) => boundTo.some((thing) => things.includes(thing));
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
    if (outcome === 'done') {
      const left = (credentials: Credential[]) => credentials.filter((each) => !ended.includes(each));
      if (owner.secrets) owner.secrets = left(owner.secrets);
      for (const person of owner.people ?? [owner]) if (person.keys) person.keys = left(person.keys);
      const dead = dying();
      for (const credential of dead) credential.ended = isEnding(credential);
      for (const credential of holdings.graveyard) credential.ended ||= isEnding(credential);
      await this.#after(dead);
    }
    return reply;
  }

  /** They are dead: shows them to every process at once. */
  async #after(dead: Credential[]): Promise<void> {
    const { holdings, presenting, random } = this.#stage;
    holdings.bury(dead);
    this.#heat(dead);
    const shown = [
      ...dead.filter(({ kind }) => kind === 'secret'),
      ...random.shuffled(dead.filter(({ kind }) => kind !== 'secret')).slice(0, 6),
    ];
    // A process that is paused answers later; the next act does not wait for it.
    void presenting.everywhere(shown);
    await wait(heatMillis.after);
  }

  #heat(credentials: Credential[]): void {
    this.#stage.holdings.heat(credentials, hotMillis);
  }

  async #withTool(act: (tool: Tool) => Promise<void>): Promise<void> {
    const free = (tool: Tool) =>
      !tool.member && !tool.busy && !tool.lost && !tool.person?.busy && !tool.repository.busy && tool.secrets.length > 0;
    await this.#claim(this.#stage.holdings.repositories.flatMap(({ tools }) => tools).filter(free), act);
  }

  async #withMember(act: (member: Member, tool: Tool) => Promise<void>): Promise<void> {
    const free = ({ busy, lost, tool }: Member) => !busy && !lost && tool !== undefined && !tool.lost && tool.secrets.length > 0;
    await this.#claim(this.#stage.holdings.repositories.flatMap(({ members }) => members).filter(free), (member) =>
      act(member, member.tool!),
    );
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
    const free = ({ isConsole, busy, lost, tools, people }: HeldRepository) =>
      !isConsole && !busy && !lost && ![...tools, ...people].some((each) => each.busy);
    await this.#claim(this.#stage.holdings.repositories.filter(free), act);
  }

  /** One of those that are free, if there is one. */
  async #claim<T extends { busy: boolean }>(free: T[], act: (one: T) => Promise<void>): Promise<void> {
    if (free.length === 0) return;
    const one = this.#stage.random.pick(free);
    await whileBusy(one, () => act(one));
  }
}

const isToken = ({ kind }: Credential) => kind === 'tool-token' || kind === 'tenant-token';

/** The server's clock and ours are one, but ours does not follow when it is set. */
const clockMarginMillis = 50;
