import { decodeJwt } from 'jose';
import * as OTPAuth from 'otpauth';
import { askedOf, Authenticator } from './authenticator.js';
import { Browser } from './browser.js';
import { Customer } from './customer.js';
import type { RunningAuthority } from './running-authority.js';

const password = 'correct horse battery staple';

/** Somebody's browser on its way to an app. */
export class Journey {
  readonly browser: Browser;
  at!: URL;
  finish!: (answer: URL) => Promise<{ id_token?: string | undefined }>;

  constructor(
    readonly customer: Customer,
    readonly login = 'anna',
  ) {
    this.browser = new Browser(customer.running);
  }

  /** Opens the sign-in page. */
  async open(parameters: Record<string, string> = {}): Promise<string> {
    const { url, finish } = await this.customer.request(await this.customer.discover(), parameters);
    this.finish = finish;
    return this.#arrive(await this.browser.follow(url, this.#stay));
  }

  /** Sends a form to the page where the browser is, or below it. */
  async send(form: Record<string, string>, url: URL | string = this.at): Promise<string> {
    const response = await this.browser.go(url, form);
    this.status = response.status;
    const location = response.headers.get('location');
    if (location === null) {
      this.at = new URL(url);
      return response.text();
    }
    return this.#arrive(await this.browser.follow(new URL(location, this.at), this.#stay));
  }

  /** Opens an address by hand. */
  async type(path: string): Promise<string> {
    return this.#arrive(await this.browser.follow(new URL(path, this.at), this.#stay));
  }

  /** Opens the page and types the password. */
  async password(parameters: Record<string, string> = {}): Promise<string> {
    await this.open(parameters);
    return this.send({ login: this.login, password });
  }

  /** Says that the recovery codes are kept. */
  async keep(): Promise<void> {
    await this.send({}, new URL('codes', this.at));
  }

  status = 0;

  get page(): string {
    return this.at.pathname.split('/').at(-1) ?? '';
  }

  get done(): boolean {
    return this.at.searchParams.has('code');
  }

  /** What the ID token says of how the person signed in. */
  async context(): Promise<{ amr: unknown; acr: unknown; sub: unknown }> {
    if (!this.done) throw new Error(`stopped at ${this.at.href}`);
    const { amr, acr, sub } = decodeJwt((await this.finish(this.at)).id_token ?? '');
    return { amr, acr, sub };
  }

  get ceremony() {
    return { origin: new URL(this.customer.issuer).origin, rpId: new URL(this.customer.issuer).hostname };
  }

  readonly #stay = (at: URL) => at.href.startsWith(`${this.customer.issuer}/`);

  async #arrive({ url, page }: { url: URL; page?: Response }): Promise<string> {
    this.at = url;
    if (page) this.status = page.status;
    return page ? page.text() : '';
  }
}

/** An authenticator app that has learnt the secret that a page shows, with a clock of its own. */
export class App {
  readonly #totp: OTPAuth.TOTP;

  constructor(html: string) {
    const [, secret = ''] = /<p class="secret"><code>([^<]*)/.exec(html) ?? [];
    this.#totp = new OTPAuth.TOTP({ secret: secret.replaceAll(' ', '') });
  }

  /** @param ahead by how many steps the clock is ahead. */
  code(ahead = 0): string {
    return this.#totp.generate({ timestamp: Date.now() + ahead * 30_000 });
  }

  wrong(): string {
    const right = [-2, -1, 0, 1, 2].map((ahead) => this.code(ahead));
    return ['111111', '222222', '333333', '444444', '555555', '666666'].find((code) => !right.includes(code)) ?? '';
  }
}

export const codesOf = (html: string) => [...html.matchAll(/<li><code>([\w-]{11})<\/code>/g)].map(([, code = '']) => code);

/** A repository that demands a second factor. */
export async function strict(running: RunningAuthority): Promise<Customer> {
  const customer = await Customer.open(running);
  await customer.repositories.update(customer.tenant.machine, customer.slug, { secondFactor: 'forced' });
  return customer;
}

/** Anna with an authenticator app, whose present code is taken as not used yet. */
export async function withApp(running: RunningAuthority) {
  const own = await strict(running);
  const journey = new Journey(own);
  const app = new App(await journey.password());
  const codes = codesOf(await journey.send({ code: app.code() }));
  await journey.keep();
  await running.test.owner.query('UPDATE totp_secrets SET last_step = last_step - 2 WHERE repository_id = $1', [own.repository.id]);
  return { customer: own, app, codes, journey };
}

/** Anna with a passkey. */
export async function withPasskey(running: RunningAuthority) {
  const own = await strict(running);
  const journey = new Journey(own);
  const html = await journey.password();
  const device = new Authenticator();
  const codes = codesOf(await journey.send({ passkey: device.register(askedOf(html), journey.ceremony) }));
  return { customer: own, device, codes, journey };
}

/** The rows of a table that are the repository's. */
export async function factsOf(customer: Customer, table: string) {
  const { rows } = await customer.running.test.owner.query<Record<string, unknown>>(`SELECT * FROM ${table} WHERE repository_id = $1`, [
    customer.repository.id,
  ]);
  return rows;
}
