import { Fault, Field, page, Sentence, type Look } from './layout.js';

/** Asks for a person's user name and password, and says for which app and repository. */
export function signInPage(
  look: Look,
  { app, action, name, fault }: { app: string; action: string; name?: string; fault?: string },
): string {
  const { signIn } = look.language.texts;
  const faulty = Boolean(fault);
  return page(look, {
    title: signIn.title,
    children: (
      <>
        <h1>{signIn.title}</h1>
        <p class="lead">
          <Sentence parts={signIn.to(look.repositoryName, app)} />
        </p>
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <Field label={signIn.login} name="login" value={name} autocomplete="username" faulty={faulty} autofocus={!name} />
          <Field
            label={signIn.password}
            name="password"
            type="password"
            autocomplete="current-password"
            faulty={faulty}
            autofocus={Boolean(name)}
          />
          <button type="submit">{signIn.submit}</button>
          <button type="submit" class="quiet" name="cancel" value="yes" formNoValidate>
            {signIn.cancel}
          </button>
        </form>
      </>
    ),
  });
}
