import type { OpenInvitation } from '@latchkey/tenancy';
import { Fault, Field, NewPassword, page, Sentence, type Look } from './layout.js';

export interface InvitationForm {
  login?: string;
  name?: string;
  email?: string;
  fault?: string;
  /** The field that the fault is about. */
  faulty?: string;
  /** Whether somebody who has an account may take it up with that, */
  mayJoin?: boolean;
  /** and who is signed in in this browser. */
  account?: { loginName: string } | undefined;
}

/** Asks whoever was invited for what their account still lacks. */
export function invitationPage(look: Look, invitation: OpenInvitation, action: string, form: InvitationForm = {}): string {
  const { invitation: texts } = look.language.texts;
  const { user, role, tenant } = invitation;
  const { title, submit } = user ? texts.setPassword : texts.createAccount;
  const lead = user ? texts.willSignInAs(user.loginName) : role ? texts.willBe(role, tenant ?? '') : [texts.invited];
  if (form.account) return joinPage(look, { action, lead, loginName: form.account.loginName });
  return page(look, {
    title,
    children: (
      <>
        <h1>{title}</h1>
        <p class="lead">
          <Sentence parts={lead} />
        </p>
        <form method="post" action={action}>
          <Fault>{form.fault}</Fault>
          {user ? (
            <input type="hidden" name="login" value={user.loginName} autocomplete="username" />
          ) : (
            <>
              <Field
                label={texts.login}
                name="login"
                value={form.login}
                autocomplete="username"
                faulty={form.faulty === 'login'}
                autofocus
              />
              <Field label={texts.name} name="name" value={form.name} autocomplete="name" faulty={form.faulty === 'name'} />
              <Field
                label={texts.email}
                name="email"
                type="email"
                value={form.email}
                autocomplete="email"
                faulty={form.faulty === 'email'}
              />
            </>
          )}
          <NewPassword look={look} faulty={form.faulty} autofocus={Boolean(user)} />
          <button type="submit">{submit}</button>
        </form>
        {form.mayJoin ? (
          <form method="post" action={action} class="others">
            <p>{texts.join.have}</p>
            <button type="submit" class="quiet" name="with" value="another">
              {texts.join.signIn}
            </button>
          </form>
        ) : null}
      </>
    ),
  });
}

/** Asks whether whoever is signed in wants to be a member. */
function joinPage(look: Look, { action, lead, loginName }: { action: string; lead: string[]; loginName: string }): string {
  const { join } = look.language.texts.invitation;
  return page(look, {
    title: join.title,
    children: (
      <>
        <h1>{join.title}</h1>
        <p class="lead">
          <Sentence parts={lead} />
        </p>
        <form method="post" action={action}>
          <button type="submit" name="with" value="this">
            {join.as(loginName)}
          </button>
        </form>
        <form method="post" action={action}>
          <button type="submit" class="quiet" name="with" value="another">
            {join.another}
          </button>
        </form>
      </>
    ),
  });
}
