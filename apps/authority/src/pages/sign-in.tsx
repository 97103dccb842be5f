import { Connecting, OtherWays, type FederationOffer } from './federation.js';
import { Fault, Field, page, Sentence, type Look } from './layout.js';
import { PasskeyForm, type PasskeyOptions } from './passkey-script.js';

/** Asks for a person's user name and password, and says for which app and repository. */
export function signInPage(
  look: Look,
  {
    app,
    action,
    federation,
    forgotten,
    signUp,
    name,
    fault,
    passkey,
  }: {
    app: string;
    action: string;
    forgotten: string;
    /** Where whoever has no account makes one, if they can. */
    signUp: string | undefined;
    federation: FederationOffer;
    name?: string;
    fault?: string;
    passkey: PasskeyOptions;
  },
): string {
  const { signIn, factors, forgotten: forgottenTexts, signUp: signUpTexts } = look.language.texts;
  const faulty = Boolean(fault);
  return page(look, {
    title: signIn.title,
    children: (
      <>
        <h1>{signIn.title}</h1>
        <p class="lead">
          <Sentence parts={signIn.to(look.repositoryName, app)} />
        </p>
        <Connecting look={look} offer={federation} />
        <form method="post" action={action}>
          <Fault>{fault}</Fault>
          <Field label={signIn.login} name="login" value={name} autocomplete="username webauthn" faulty={faulty} autofocus={!name} />
          <Field
            label={signIn.password}
            name="password"
            type="password"
            autocomplete="current-password"
            faulty={faulty}
            autofocus={Boolean(name)}
          />
          <button type="submit">{signIn.submit}</button>
        </form>
        <PasskeyForm {...passkey} action={action} fault={factors.faults.passkeyAlone} autofill>
          <button type="submit" class="quiet">
            {factors.passkeyInstead}
          </button>
        </PasskeyForm>
        <OtherWays look={look} offer={federation} />
        <p class="after">
          <a href={forgotten}>{forgottenTexts.link}</a>
        </p>
        {signUp ? (
          <p class="after">
            {signUpTexts.newHere} <a href={signUp}>{signUpTexts.title}</a>
          </p>
        ) : null}
        <form method="post" action={action}>
          <button type="submit" class="quiet" name="cancel" value="yes">
            {signIn.cancel}
          </button>
        </form>
      </>
    ),
  });
}
