import { Fault, Field, NewPassword, page, Sentence, type Look } from './layout.js';

/** Asks who has forgotten their password. */
export function forgottenPasswordPage(look: Look, action: string, fault?: string): string {
  const { forgotten, signIn } = look.language.texts;
  return page(look, {
    title: forgotten.title,
    children: (
      <>
        <h1>{forgotten.title}</h1>
        <p class="lead">{forgotten.lead}</p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <Field label={signIn.login} name="login" autocomplete="username" faulty={Boolean(fault)} autofocus />
          <button type="submit">{forgotten.submit}</button>
        </form>
      </>
    ),
  });
}

/** Asks for a new password, by a link that was mailed. */
export function newPasswordPage(
  look: Look,
  { action, loginName, faulty, fault }: { action: string; loginName: string; faulty: string | undefined; fault: string | undefined },
): string {
  const { newPasswordByLink: texts } = look.language.texts;
  return page(look, {
    title: texts.title,
    children: (
      <>
        <h1>{texts.title}</h1>
        <p class="lead">
          <Sentence parts={texts.lead(loginName)} />
        </p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <input type="hidden" name="login" value={loginName} autocomplete="username" />
          <NewPassword look={look} faulty={faulty} autofocus />
          <button type="submit">{texts.submit}</button>
        </form>
      </>
    ),
  });
}
