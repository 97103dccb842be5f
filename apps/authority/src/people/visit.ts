import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call } from '@latchkey/access';
import type { OwnAct } from '@latchkey/tenancy';
import type { Authority } from '../authority.js';
import { callOf } from '../call.js';
import type { Issuer } from '../issuer.js';
import { isOnTheWeb, pageHeaders, readsPages } from '../pages/headers.js';
import { messagePage, type Message } from '../pages/message.js';
import { onwardPage } from '../pages/onward.js';
import type { Look } from '../pages/layout.js';
import { chooseLanguage } from '../pages/texts/choose.js';
import { readForm } from '../read-form.js';

/** One request for a page of an issuer, and how it is answered. */
export class Visit {
  /** Where it came from and what names it. */
  readonly call: Call;
  /** How its pages look, and in which language. */
  look: Look;
  #form: Promise<URLSearchParams> | undefined;

  constructor(
    readonly authority: Authority,
    readonly issuer: Issuer,
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
  ) {
    this.call = callOf(authority, request);
    this.look = lookOf(issuer, request, this.query.get('ui_locales') ?? undefined);
  }

  get texts() {
    return this.look.language.texts;
  }

  get posted(): boolean {
    return this.request.method === 'POST';
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.request.url?.split('?')[1] ?? '');
  }

  /** The languages that the app asks for, when the page is part of its request. */
  prefer(uiLocales: string | undefined): void {
    if (uiLocales) this.look = lookOf(this.issuer, this.request, uiLocales);
  }

  /** The path, as a browser sees it, of something below the issuer: `/interaction/…`. */
  path(below: string): string {
    return new URL(this.issuer.url).pathname.replace(/\/$/, '') + below;
  }

  /** The posted form. @throws Problem when there is none or it is too large. */
  form(): Promise<URLSearchParams> {
    return (this.#form ??= readForm(this.request));
  }

  /** Whoever acts here on their own account, for what is written down and mailed of it. */
  get act(): OwnAct {
    return { call: this.call, language: this.look.language.tag === 'de' ? 'de' : 'en' };
  }

  /** A time as people write it where the page's language is spoken, in UTC. */
  moment(date: Date): string {
    const format = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const;
    return `${new Intl.DateTimeFormat(this.look.language.tag, format).format(date)} UTC`;
  }

  /** Sends the browser on to something below the issuer. */
  leadTo(below: string): void {
    this.response.writeHead(303, { location: this.path(below), 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
  }

  /** Sends the browser away: from a form by a page, where that leads on the web (see onward.tsx). A tool gets a redirect. */
  leave(location: string, target = URL.parse(location)): void {
    if (this.posted && isOnTheWeb(target) && readsPages(this.request)) return this.send(200, onwardPage(this.look, location));
    this.response.writeHead(303, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
  }

  /** Answers with a page. */
  send(status: number, html: string, headers = pageHeaders(this.look.brand)): void {
    this.response.writeHead(status, headers).end(html);
  }

  /** Answers with a page that says one thing. */
  say(status: number, message: Message): void {
    this.send(status, messagePage(this.look, message));
  }
}

/** How the pages of an issuer look to whoever sent the request. */
export function lookOf(
  { name, brand, shortestPassword }: Pick<Issuer, 'name' | 'brand' | 'shortestPassword'>,
  request: IncomingMessage,
  uiLocales?: string,
): Look {
  return { repositoryName: name, brand, shortestPassword, language: chooseLanguage(request, uiLocales) };
}
