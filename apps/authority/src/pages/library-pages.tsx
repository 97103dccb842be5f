import { createHash } from 'node:crypto';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { Issuer } from '../issuer.js';
import { lookOf } from '../people/visit.js';
import { formTarget, isOnTheWeb, pageHeaders, readsPages } from './headers.js';
import { page } from './layout.js';
import { messagePage } from './message.js';
import { onwardPage } from './onward.js';

/** What a person sees when an app's request cannot be answered by a redirect to it (RFC 6749 §4.1.2.1). */
export function errorPage(ctx: KoaContextWithOIDC, issuer: Issuer, out: ErrorOut): void {
  const look = lookOf(issuer, ctx.req, uiLocales(ctx));
  const { title, request: text } = look.language.texts.problem;
  ctx.set(pageHeaders(look.brand));
  ctx.body = messagePage(look, { title, text, detail: [out.error, out.error_description].filter(Boolean).join(': ') });
}

/** Presses the button for whoever has scripts, when the app has proved whom it is signing out. */
const pressButton = 'document.forms[0].querySelector("[value=yes]").click()';
const pressButtonHash = `'sha256-${createHash('sha256').update(pressButton).digest('base64')}'`;

/** Asks whether to sign out (OpenID Connect RP-Initiated Logout 1.0 §2). `form` is the library's, without buttons. */
export function signOutPage(ctx: KoaContextWithOIDC, issuer: Issuer, form: string): void {
  const { session, entities, client, params } = ctx.oidc;
  const hint = entities.IdTokenHint as { payload?: { sub?: string } } | undefined;
  const proved = hint?.payload?.sub !== undefined && hint.payload.sub === session?.accountId;
  const { post_logout_redirect_uri: back } = (params ?? {}) as { post_logout_redirect_uri?: string };
  const target = URL.parse(back ?? '');
  const [, action = ''] = /action="([^"]*)"/.exec(form) ?? [];
  const [, xsrf = ''] = /name="xsrf" value="([^"]*)"/.exec(form) ?? [];
  const look = lookOf(issuer, ctx.req, uiLocales(ctx));
  const script = proved ? { script: pressButtonHash } : {};
  ctx.set(pageHeaders(look.brand, { formTargets: formTarget(target), ...script }));
  const { signOut } = look.language.texts;
  ctx.body = page(look, {
    title: signOut.title,
    children: (
      <>
        <h1>{signOut.question}</h1>
        <p class="lead">{client?.clientName ? signOut.leaving(client.clientName) : signOut.about}</p>
        <form method="post" action={action}>
          <input type="hidden" name="xsrf" value={xsrf} />
          <button type="submit" name="logout" value="yes">
            {signOut.submit}
          </button>
          <button type="submit" class="quiet">
            {signOut.stay}
          </button>
        </form>
        {proved ? <script dangerouslySetInnerHTML={{ __html: pressButton }} /> : null}
      </>
    ),
  });
}

export function signedOutPage(ctx: KoaContextWithOIDC, issuer: Issuer): void {
  const look = lookOf(issuer, ctx.req, uiLocales(ctx));
  ctx.set(pageHeaders(look.brand));
  ctx.body = messagePage(look, look.language.texts.signOut.done);
}

/** What a person sees at an address where nothing is, with the way to what is theirs. */
export function nowherePage(ctx: Pick<KoaContextWithOIDC, 'status' | 'set' | 'body' | 'req'>, issuer: Issuer): void {
  if (ctx.status !== 404 || ctx.body || !readsPages(ctx.req)) return;
  const look = lookOf(issuer, ctx.req);
  const { problem, account } = look.language.texts;
  ctx.set(pageHeaders(look.brand));
  ctx.body = messagePage(look, {
    title: problem.title,
    text: problem.nowhere,
    link: { href: `${issuer.url}/account`, label: account.title },
  });
  ctx.status = 404;
}

/** Where a form of ours has led to an app, a page sends the browser there instead (see onward.tsx). */
export function leadOn(
  ctx: Pick<KoaContextWithOIDC, 'method' | 'status' | 'response' | 'remove' | 'set' | 'body' | 'req'>,
  issuer: Issuer,
): void {
  const target = URL.parse(ctx.response.get('location'), issuer.url);
  if (ctx.method !== 'POST' || ctx.status !== 303 || !readsPages(ctx.req)) return;
  if (!target || !isOnTheWeb(target) || target.origin === new URL(issuer.url).origin) return;
  const look = lookOf(issuer, ctx.req);
  ctx.status = 200;
  ctx.remove('location');
  ctx.set(pageHeaders(look.brand));
  ctx.body = onwardPage(look, target.href);
}

function uiLocales(ctx: KoaContextWithOIDC): string | undefined {
  const locales = ctx.oidc?.params?.['ui_locales'] ?? ctx.query['ui_locales'];
  return typeof locales === 'string' ? locales : undefined;
}
