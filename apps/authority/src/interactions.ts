import type { IncomingMessage, ServerResponse } from 'node:http';
import { createUserBody, passwordSchema, Problem } from '@latchkey/contracts';
import { signIn } from '@latchkey/credentials';
import { errors } from 'oidc-provider';
import { recordSignIn } from '@latchkey/tenancy';
import type { Authority } from './authority.js';
import { callOf } from './call.js';
import type { Issuer } from './issuer.js';
import { formTarget, invitationPage, messagePage, pageHeaders, signInPage } from './pages/pages.js';
import { readForm } from './read-form.js';
import { refusedSignIn } from './refused.js';

/** Where people are while an app waits for them: `/interaction/<uid>` and `/invitation/<token>` below the issuer. */
const interactionPath = /^\/interaction\/([\w-]{1,64})$/;
const invitationPath = /^\/invitation\/([0-9A-Za-z]{43})$/;

/** Answers the authority's own pages. @returns false when the address is none of them. */
export async function servePages(
  authority: Authority,
  issuer: Issuer,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const interaction = interactionPath.exec(path)?.[1];
  const invitation = invitationPath.exec(path)?.[1];
  if (!interaction && !invitation) return false;
  if (request.method !== 'GET' && request.method !== 'POST') {
    response.writeHead(405, { allow: 'GET, POST' }).end();
    return true;
  }
  if (request.method === 'POST' && !isSameOrigin(issuer, request)) {
    send(
      response,
      403,
      messagePage(issuer, {
        title: 'This did not work',
        text: 'The form was sent from another site. Open the page again and fill it in there.',
      }),
    );
    return true;
  }
  if (interaction) await serveSignIn(authority, issuer, interaction, request, response);
  else if (invitation) await serveInvitation(authority, issuer, invitation, request, response);
  return true;
}

/** A form of ours is only taken from a page of ours (Fetch Metadata; Origin where that is missing). */
function isSameOrigin(issuer: Issuer, request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin } = request.headers;
  return origin === undefined || origin === new URL(issuer.url).origin;
}

async function serveSignIn(
  authority: Authority,
  issuer: Issuer,
  uid: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { provider, repository } = issuer;
  const interaction = await provider.interactionDetails(request, response).catch((error: unknown) => {
    if (error instanceof errors.SessionNotFound) return undefined;
    throw error;
  });
  // The cookie names the interaction; an address that names another was made up or belongs to another window.
  if (!interaction || interaction.uid !== uid || interaction.prompt.name !== 'login') {
    const text = 'You took too long, or have signed in in another window. Go back to the app and start again.';
    return send(response, 400, messagePage(issuer, { title: 'Start again', text }));
  }
  const { client_id: clientId, redirect_uri: redirectUri, login_hint: hint } = interaction.params as Record<string, string | undefined>;
  const target = URL.parse(redirectUri ?? '');
  const headers = pageHeaders({ formTargets: target ? formTarget(target) : '' });
  const client = await provider.Client.find(clientId ?? '');
  const show = (status: number, form: { name?: string; fault?: string }) =>
    send(
      response,
      status,
      signInPage(issuer, {
        app: client?.clientName ?? 'an app',
        action: `${new URL(issuer.url).pathname.replace(/\/$/, '')}/interaction/${uid}`,
        ...form,
      }),
      headers,
    );

  if (request.method === 'GET') return show(200, hint ? { name: hint } : {});
  const form = await readForm(request);
  if (form.get('cancel'))
    return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'The person cancelled' });
  const name = form.get('login')?.trim() ?? '';
  const person = await signIn(authority.database, repository, name, form.get('password') ?? '');
  const call = callOf(authority, request);
  if ('refused' in person) {
    authority.refusals.record(refusedSignIn(repository, person, call));
    return show(401, { name, fault: 'User name or password is wrong.' });
  }
  await recordSignIn(authority.database, repository, person.userId, call);
  const login = { accountId: String(person.userId), amr: ['pwd'] };
  // The session will be bound to the generation that the password belonged to (see records.ts).
  return provider.interactionFinished(request, response, { login, generation: person.generation } as never);
}

async function serveInvitation(
  authority: Authority,
  issuer: Issuer,
  token: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const invitation = await authority.invitations.find(issuer.repository, token);
  if (!invitation) {
    const text = 'The invitation was used or has run out. Ask whoever invited you for another.';
    return send(response, 404, messagePage(issuer, { title: 'This link works no longer', text }));
  }
  const action = request.url ?? '';
  if (request.method === 'GET') return send(response, 200, invitationPage(issuer, invitation, action));
  const form = await readForm(request);
  const text = (field: string) => form.get(field)?.trim() ?? '';
  const [login, name, email, password, again] = [
    text('login'),
    text('name'),
    text('email'),
    form.get('password') ?? '',
    form.get('again') ?? '',
  ];
  const refuse = (faulty: string, fault: string) =>
    send(response, 422, invitationPage(issuer, invitation, action, { login, name, email, faulty, fault }));

  const person = invitation.user ?? { loginName: login, name, email };
  const checked = createUserBody.safeParse({ loginName: person.loginName, name: person.name, email: person.email ?? undefined });
  if (!checked.success && !invitation.user) {
    const [issue] = checked.error.issues;
    const field = String(issue?.path[0]);
    return refuse(
      field === 'loginName' ? 'login' : field,
      `${{ loginName: 'The user name', name: 'Your name', email: 'The e-mail address' }[field] ?? 'Something'} ${issue?.message.toLowerCase() ?? 'is not right'}.`,
    );
  }
  const strong = passwordSchema.safeParse(password);
  if (!strong.success) return refuse('password', `The password ${strong.error.issues[0]?.message ?? 'is not right'}.`);
  if (password !== again) return refuse('again', 'The two passwords are not the same.');
  try {
    await authority.invitations.accept(
      issuer.repository,
      token,
      {
        loginName: person.loginName,
        name: person.name,
        email: person.email,
        password,
      },
      callOf(authority, request),
    );
  } catch (error) {
    if (error instanceof Problem) return refuse('login', error.message);
    throw error;
  }
  const link = invitation.role ? { href: authority.portalUrl, label: 'Go to the portal' } : undefined;
  return send(
    response,
    200,
    messagePage(issuer, { title: 'You are all set', text: `You can now sign in as ${person.loginName}.`, ...(link ? { link } : {}) }),
  );
}

function send(response: ServerResponse, status: number, html: string, headers = pageHeaders()): void {
  response.writeHead(status, headers).end(html);
}
