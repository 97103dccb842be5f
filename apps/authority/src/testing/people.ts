import { linkToken } from '@latchkey/credentials';
import * as client from 'openid-client';
import { MailedLink } from '@latchkey/database';
import { Attempts, Requests } from '../people/attempts.js';
import { Browser } from './browser.js';
import { Customer, type Tokens } from './customer.js';
import type { RunningAuthority } from './running-authority.js';

interface MailRow {
  template: string;
  data: { to: { name: string; address: string }; linkId?: string; language: string };
}

/** What a browser says with a form of the page that it shows. */
export const same = { 'sec-fetch-site': 'same-origin' };

/** A customer's people at their authority, and the mails that they get. Nobody's attempts count yet. */
export class People {
  private constructor(
    readonly running: RunningAuthority,
    readonly customer: Customer,
    readonly configuration: client.Configuration,
  ) {}

  static async of(running: RunningAuthority): Promise<People> {
    const customer = await Customer.open(running);
    // Every test comes from one address.
    Object.assign(running.authority, { requests: new Requests(), attempts: new Attempts() });
    return new People(running, customer, await customer.discover());
  }

  browser(): Browser {
    return new Browser(this.running);
  }

  /** The mails that were decided on for the customer's people, the first first. */
  async mails(): Promise<MailRow[]> {
    const { rows } = await this.running.test.owner.query<MailRow>(
      `SELECT template, data FROM mails WHERE data->>'repositoryId' = $1 ORDER BY created_at, id`,
      [this.customer.repository.id],
    );
    return rows;
  }

  /** The latest mail of a kind, as soon as it is decided on, and where its link leads: as the worker would write it. */
  async mailed(template: string): Promise<{ token: string; link: string; to: string }> {
    for (let attempt = 0; attempt < 100; attempt++) {
      const mail = (await this.mails()).findLast((each) => each.template === template);
      if (mail) {
        const row = mail.data.linkId === undefined ? null : await this.#linkRow(mail.data.linkId);
        const token = row ? linkToken(this.running.options.peppers, row) : '';
        return { token, link: `${this.customer.issuer}/${row?.purpose}/${token}`, to: mail.data.to.address };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no mail ${template}`);
  }

  async #linkRow(id: string): Promise<MailedLink> {
    const { id: repositoryId } = this.customer.repository;
    return this.running.database.read({ repositoryId }, (tx) => tx.findOneByOrFail(MailedLink, { repositoryId, id }));
  }

  /** Whether the tokens of somebody still open anything: userinfo, and a refresh. */
  async alive(tokens: Tokens): Promise<{ userinfo: boolean; refresh: boolean }> {
    const works = (call: Promise<unknown>) =>
      call.then(
        () => true,
        () => false,
      );
    return {
      userinfo: await works(client.fetchUserInfo(this.configuration, tokens.access_token, client.skipSubjectCheck)),
      refresh: await works(client.refreshTokenGrant(this.configuration, tokens.refresh_token ?? '')),
    };
  }

  /** Opens `/account`, signing in on the way if need be. @returns the page. */
  async openAccount(who: Browser, password = 'correct horse battery staple', login = 'anna'): Promise<string> {
    const { issuer } = this.customer;
    const stay = (url: URL) => url.href.startsWith(`${issuer}/`);
    let at = await who.follow(`${issuer}/account`, stay);
    if (/\/interaction\//.test(at.url.pathname)) {
      const sent = await who.go(at.url, { login, password }, same);
      if (sent.status !== 303) throw new Error(`signing in answered ${sent.status}`);
      at = await who.follow(new URL(sent.headers.get('location') ?? '', at.url), stay);
    }
    if (at.url.href !== `${issuer}/account`) throw new Error(`arrived at ${at.url.href}`);
    return (await at.page?.text()) ?? '';
  }

  /** Sends a form of the account page. */
  async act(who: Browser, action: string, form: Record<string, string> = {}, headers: Record<string, string> = same): Promise<Response> {
    return who.go(`${this.customer.issuer}/account/${action}`, form, headers);
  }

  /** Makes every sign-in so much older: it is the session's word, and no test waits for ten minutes. */
  async age(seconds: number): Promise<void> {
    await this.running.test.owner.query(
      `UPDATE oidc_records SET payload = jsonb_set(payload, '{loginTs}', to_jsonb((payload->>'loginTs')::bigint - $2))
       WHERE repository_id = $1 AND kind = 'Session'`,
      [this.customer.repository.id, seconds],
    );
  }
}
