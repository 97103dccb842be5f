import type { OpenInvitation } from '@latchkey/tenancy';
import { Fault, Field, NewPassword, page, Sentence, type Look } from './layout.js';

export interface InvitationForm {
  login?: string;
  name?: string;
  email?: string;
  fault?: string;
  /** The field that the fault is about. */
  faulty?: string;
}

/** Asks whoever was invited for what their account still lacks. */
export function invitationPage(look: Look, invitation: OpenInvitation, action: string, form: InvitationForm = {}): string {
  const { invitation: texts } = look.language.texts;
  const { user, role } = invitation;
  const { title, submit } = user ? texts.setPassword : texts.createAccount;
  const lead = user ? texts.willSignInAs(user.loginName) : role ? texts.willBe(role) : [texts.invited];
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
      </>
    ),
  });
}
