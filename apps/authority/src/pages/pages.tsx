import { createHash } from 'node:crypto';
import type { ErrorOut, KoaContextWithOIDC } from 'oidc-provider';
import type { OpenInvitation } from '@latchkey/tenancy';
import type { Issuer } from '../issuer.js';
import { Fault, Field, page } from './layout.js';
import { stylesheetHash } from './stylesheet.js';

/**
 * Headers of every page: nothing but our own stylesheet, never in a frame, never kept.
 *
 * @param formTargets where a form may lead by redirects besides this issuer; browsers hold the whole chain to it.
 */
export function pageHeaders({ formTargets = '', script = '' } = {}): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src ${stylesheetHash}; script-src ${script || "'none'"}; form-action 'self' ${formTargets}; base-uri 'none'; frame-ancestors 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

export function signInPage(
  issuer: Issuer,
  { app, action, name, fault }: { app: string; action: string; name?: string; fault?: string },
): string {
  return page({
    title: 'Sign in',
    repositoryName: issuer.name,
    children: (
      <>
        <h1>Sign in</h1>
        <p class="lead">
          to <strong>{issuer.name}</strong>, for <strong>{app}</strong>
        </p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <Field label="User name or e-mail" name="login" value={name} autocomplete="username" faulty={Boolean(fault)} autofocus={!name} />
          <Field
            label="Password"
            name="password"
            type="password"
            autocomplete="current-password"
            faulty={Boolean(fault)}
            autofocus={Boolean(name)}
          />
          <button type="submit">Sign in</button>
          <button type="submit" class="quiet" name="cancel" value="yes" formNoValidate>
            Cancel
          </button>
        </form>
      </>
    ),
  });
}

export interface InvitationForm {
  login?: string;
  name?: string;
  email?: string;
  fault?: string;
  /** The field that the fault is about. */
  faulty?: string;
}

export function invitationPage(issuer: Issuer, invitation: OpenInvitation, action: string, form: InvitationForm = {}): string {
  const { user } = invitation;
  return page({
    title: user ? 'Set your password' : 'Create your account',
    repositoryName: issuer.name,
    children: (
      <>
        <h1>{user ? 'Set your password' : 'Create your account'}</h1>
        <p class="lead">
          {user ? (
            <>
              You will sign in as <strong>{user.loginName}</strong>.
            </>
          ) : invitation.role ? (
            <>
              You will be <strong>{invitation.role}</strong> of the tenant that invited you.
            </>
          ) : (
            'You have been invited.'
          )}
        </p>
        <form method="post" action={action}>
          <Fault>{form.fault}</Fault>
          {user ? (
            <input type="hidden" name="login" value={user.loginName} autocomplete="username" />
          ) : (
            <>
              <Field label="User name" name="login" value={form.login} autocomplete="username" faulty={form.faulty === 'login'} autofocus />
              <Field label="Your name" name="name" value={form.name} autocomplete="name" faulty={form.faulty === 'name'} />
              <Field label="E-mail" name="email" type="email" value={form.email} autocomplete="email" faulty={form.faulty === 'email'} />
            </>
          )}
          <Field
            label="Password"
            name="password"
            type="password"
            autocomplete="new-password"
            hint="15 characters or more. A few words in a row are easy to remember and hard to guess."
            minLength={15}
            faulty={form.faulty === 'password'}
            autofocus={Boolean(user)}
          />
          <Field
            label="Password again"
            name="again"
            type="password"
            autocomplete="new-password"
            minLength={15}
            faulty={form.faulty === 'again'}
          />
          <button type="submit">{user ? 'Set password' : 'Create account'}</button>
        </form>
      </>
    ),
  });
}

/** A page that says one thing and may lead on. */
export function messagePage(
  issuer: Issuer | undefined,
  { title, text, detail, link }: { title: string; text: string; detail?: string | undefined; link?: { href: string; label: string } },
): string {
  return page({
    title,
    repositoryName: issuer?.name ?? 'Latchkey',
    children: (
      <>
        <h1>{title}</h1>
        <p>{text}</p>
        {detail ? (
          <p class="hint">
            <code>{detail}</code>
          </p>
        ) : null}
        {link ? (
          <a class="button" href={link.href}>
            {link.label}
          </a>
        ) : null}
      </>
    ),
  });
}

/** What a person sees when an app's request cannot be answered by a redirect to it (RFC 6749 §4.1.2.1). */
export function errorPage(ctx: KoaContextWithOIDC, issuer: Issuer, out: ErrorOut): void {
  ctx.set(pageHeaders());
  ctx.body = messagePage(issuer, {
    title: 'This did not work',
    text: 'The app sent you here with a request that cannot be answered. Go back to it and try again; if that does not help, tell whoever runs it what stands below.',
    detail: [out.error, out.error_description].filter(Boolean).join(': '),
  });
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
  ctx.set(pageHeaders({ formTargets: target ? formTarget(target) : '', ...(proved ? { script: pressButtonHash } : {}) }));
  ctx.body = page({
    title: 'Sign out',
    repositoryName: issuer.name,
    children: (
      <>
        <h1>Sign out?</h1>
        <p class="lead">{client?.clientName ? `You are leaving ${client.clientName}.` : 'You are about to sign out.'}</p>
        <form method="post" action={action}>
          <input type="hidden" name="xsrf" value={xsrf} />
          <button type="submit" name="logout" value="yes">
            Sign out
          </button>
          <button type="submit" class="quiet">
            Stay signed in
          </button>
        </form>
        {proved ? <script dangerouslySetInnerHTML={{ __html: pressButton }} /> : null}
      </>
    ),
  });
}

export function signedOutPage(ctx: KoaContextWithOIDC, issuer: Issuer): void {
  ctx.set(pageHeaders());
  ctx.body = messagePage(issuer, { title: 'You are signed out', text: 'You can close this page.' });
}

/** A redirect target as `form-action` takes it: the origin, or the scheme of an app that is not on the web. */
export function formTarget(url: URL): string {
  return url.origin === 'null' ? url.protocol : url.origin;
}
