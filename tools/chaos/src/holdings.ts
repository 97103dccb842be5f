import type { CredentialKind, Issued, Span } from './history.js';
import type { Random } from './random.js';

/** A repository of the run. */
export interface HeldRepository {
  /** Its name in the history. */
  thing: string;
  slug: string;
  appClientId: string;
  /** Where people are sent back to. Nobody follows: the address is all that is wanted. */
  redirectUri: string;
  /** The built-in repository whose clients are the tenant's credentials for the tenant API. */
  isConsole: boolean;
  tools: Tool[];
  people: Person[];
  /** Of the tenant; none but the console has any. */
  members: Member[];
  /** Asks about tokens. Nothing ever happens to its secret. */
  inspector: Credential | undefined;
  busy: boolean;
  /** What is alive is not known any more: a call about it had no answer. Nothing further is done to it. */
  lost: boolean;
}

/** A tool client. */
export interface Tool {
  thing: string;
  repository: HeldRepository;
  clientId: string;
  /** Whom it acts as, if not the built-in user. */
  person: Person | undefined;
  /** Whose credential it is, if it is a member's. */
  member: Member | undefined;
  /** Those that nothing has ended. */
  secrets: Credential[];
  busy: boolean;
  lost: boolean;
}

/** A repository user. */
export interface Person {
  thing: string;
  repository: HeldRepository;
  id: number;
  loginName: string;
  password: string;
  /** API keys that nothing has ended. */
  keys: Credential[];
  busy: boolean;
  lost: boolean;
}

/** A member of the tenant, who has a credential of their own or is about to have one. */
export interface Member {
  thing: string;
  id: string;
  loginName: string;
  password: string;
  tool: Tool | undefined;
  busy: boolean;
  lost: boolean;
}

/** A credential in our hands. */
export interface Credential {
  /** Its name in the history. */
  id: string;
  kind: CredentialKind;
  /** What is presented. */
  value: string;
  repository: HeldRepository;
  tool?: Tool;
  person?: Person;
  /** The id by which the tenant API knows it. */
  serverId?: string;
  needs: string[];
  boundTo: string[];
  expires?: number;
  /** It was presented; a refresh token works once. */
  spent?: boolean;
  /** What it is bound to was cut off: it is dead whatever is revived. */
  ended?: boolean;
}

/** Dead credentials that are presented again and again; older ones only at the end. */
const rememberedDead = 80;

/** Everything that the run holds, and what of it to present next. */
export class Holdings {
  readonly repositories: HeldRepository[] = [];
  readonly live = new Set<Credential>();
  readonly graveyard: Credential[] = [];
  /** What a call is about to end, is ending or has just ended. */
  readonly #hot = new Map<Credential, number>();
  #named = 0;

  constructor(
    readonly random: Random,
    readonly record: (issued: Issued) => void,
  ) {}

  /** A name for something in the history. */
  name(kind: string): string {
    return `${kind}-${++this.#named}`;
  }

  /** Takes a credential that was issued. */
  take(credential: Omit<Credential, 'id'>, { begin, end }: Span): Credential {
    const taken: Credential = { ...credential, id: this.name(credential.kind) };
    const { id, kind, needs, boundTo, expires } = taken;
    this.record({ type: 'issued', credential: id, kind, needs, boundTo, begin, end, ...(expires === undefined ? {} : { expires }) });
    this.live.add(taken);
    return taken;
  }

  /** The live credentials that end when this thing does. */
  hangingOn(thing: string, how: 'either' | 'bound' = 'either'): Credential[] {
    return [...this.live].filter(
      (credential) => credential.boundTo.includes(thing) || (how === 'either' && credential.needs.includes(thing)),
    );
  }

  /** They are dead, or may be: they are presented on, among the dead. */
  bury(credentials: Iterable<Credential>): void {
    for (const credential of credentials) {
      if (this.live.delete(credential)) this.graveyard.push(credential);
    }
  }

  /** They are good again. */
  revive(credentials: Iterable<Credential>): void {
    for (const credential of credentials) {
      const at = this.graveyard.indexOf(credential);
      if (at >= 0) this.graveyard.splice(at, 1);
      this.live.add(credential);
    }
  }

  /** Gives up a repository, a client or a person: what hangs on it is neither surely alive nor surely dead. */
  lose(what: { thing: string; lost: boolean }): void {
    what.lost = true;
    this.bury(this.hangingOn(what.thing));
  }

  /** They are presented more than others for so long. */
  heat(credentials: Iterable<Credential>, millis: number): void {
    for (const credential of credentials) this.#hot.set(credential, performance.now() + millis);
  }

  isHot(credential: Credential): boolean {
    return (this.#hot.get(credential) ?? 0) > performance.now();
  }

  /** A refresh token that is presented a second time ends its whole line (RFC 9700 §4.14.2), unless it is dead anyway. */
  #mayBePresented(credential: Credential): boolean {
    return credential.kind !== 'refresh-token' || credential.ended === true || (!credential.spent && this.live.has(credential));
  }

  /** Something to present now: what is hot, before what has ended lately, before anything else. */
  choose(fits: (credential: Credential) => boolean): Credential | undefined {
    const suits = (credential: Credential) => fits(credential) && this.#mayBePresented(credential);
    const recent = this.graveyard.slice(-rememberedDead);
    for (const [credential, until] of this.#hot) if (until < performance.now()) this.#hot.delete(credential);
    const lists = this.random.weighted([
      [5, [[...this.#hot.keys()], recent, this.live]],
      [3, [recent, this.live]],
      [4, [this.live]],
    ] as const);
    for (const list of lists) {
      const suitable = [...list].filter(suits);
      if (suitable.length > 0) return this.random.pick(suitable);
    }
    return undefined;
  }
}
