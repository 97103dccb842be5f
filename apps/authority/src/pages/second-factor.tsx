import { encode } from 'uqr';
import { Fault, Field, page, Sentence, type Look } from './layout.js';
import { PasskeyForm, type PasskeyOptions } from './passkey-script.js';

interface StepProps {
  /** What people call the app that waits. */
  app: string;
  action: string;
  fault?: string | undefined;
}

/** Asks for a code of the authenticator app, a passkey, or a recovery code, as far as there are any. */
export function provePage(
  look: Look,
  { app, action, hasApp, passkey, fault }: StepProps & { hasApp: boolean; passkey: PasskeyOptions | undefined },
): string {
  const { factors, signIn } = look.language.texts;
  return page(look, {
    title: factors.prove.title,
    children: (
      <>
        <h1>{factors.prove.title}</h1>
        <p class="lead">
          <Sentence parts={signIn.to(look.repositoryName, app)} />
        </p>
        <Fault>{fault}</Fault>
        {hasApp ? (
          <form method="post" action={action}>
            <CodeField look={look} faulty={Boolean(fault)} />
            <button type="submit">{factors.prove.submit}</button>
          </form>
        ) : null}
        {passkey ? (
          <PasskeyForm {...passkey} action={action} fault={factors.faults.passkey}>
            <button type="submit" class={hasApp ? 'quiet' : ''}>
              {factors.prove.passkey}
            </button>
          </PasskeyForm>
        ) : null}
        <details open={!hasApp && !passkey}>
          <summary>{factors.prove.recovery}</summary>
          <form method="post" action={action}>
            <Field
              label={factors.recovery.label}
              name="recovery"
              autocomplete="off"
              hint={factors.recovery.hint}
              faulty={Boolean(fault) && !hasApp}
            />
            <button type="submit">{factors.prove.submit}</button>
          </form>
        </details>
        <Cancel look={look} action={action} />
      </>
    ),
  });
}

/** Shows the secret for an authenticator app, as a picture and as text, and asks for its first code; or makes a passkey. */
export function enrolPage(
  look: Look,
  { app, action, fault, ...offer }: StepProps & { uri: string; secret: string; passkey: PasskeyOptions },
): string {
  const { factors } = look.language.texts;
  return page(look, {
    title: factors.enrol.title,
    children: (
      <>
        <h1>{factors.enrol.title}</h1>
        <p class="lead">
          <Sentence parts={factors.enrol.why(look.repositoryName, app)} />
        </p>
        <Fault>{fault}</Fault>
        <NewTotp look={look} action={action} uri={offer.uri} secret={offer.secret} faulty={Boolean(fault)} />
        <PasskeyForm {...offer.passkey} action={action} fault={factors.faults.passkey}>
          <button type="submit" class="quiet">
            {factors.enrol.passkey}
          </button>
        </PasskeyForm>
        <Cancel look={look} action={action} />
      </>
    ),
  });
}

/** Lets an authenticator app learn the secret, and asks for the code that it then shows. */
function NewTotp({ look, action, uri, secret, faulty }: { look: Look; action: string; uri: string; secret: string; faulty: boolean }) {
  const { factors } = look.language.texts;
  return (
    <form method="post" action={action}>
      <p>{factors.enrol.scan}</p>
      <QrCode text={uri} label={factors.enrol.picture} />
      <p class="hint">{factors.enrol.type}</p>
      <p class="secret">
        <code>{secret}</code>
      </p>
      <CodeField look={look} faulty={faulty} />
      <button type="submit">{factors.enrol.submit}</button>
    </form>
  );
}

/** Shows recovery codes, the only time; or says, to whoever loads the page again, that they were shown. */
export function recoveryCodesPage(
  look: Look,
  { action, codes, method = 'post' }: { action: string; codes?: string[]; method?: 'get' | 'post' },
): string {
  const { title, keep, shown, submit } = look.language.texts.factors.codes;
  return page(look, {
    title,
    children: (
      <>
        <h1>{title}</h1>
        {codes ? (
          <>
            <p>{keep}</p>
            <ol class="codes">
              {codes.map((code) => (
                <li key={code}>
                  <code>{code}</code>
                </li>
              ))}
            </ol>
          </>
        ) : (
          <p>{shown}</p>
        )}
        <form method={method} action={action}>
          <button type="submit">{submit}</button>
        </form>
      </>
    ),
  });
}

interface AddProps {
  action: string;
  /** The page of the account. */
  back: string;
  fault?: string | undefined;
}

/** Lets somebody add an authenticator app to their account. */
export function newTotpPage(look: Look, { action, back, fault, uri, secret }: AddProps & { uri: string; secret: string }): string {
  const { factors, signIn } = look.language.texts;
  return page(look, {
    title: factors.account.addApp,
    children: (
      <>
        <h1>{factors.account.addApp}</h1>
        <Fault>{fault}</Fault>
        <NewTotp look={look} action={action} uri={uri} secret={secret} faulty={Boolean(fault)} />
        <p class="after">
          <a href={back}>{signIn.cancel}</a>
        </p>
      </>
    ),
  });
}

/** Lets somebody add a passkey to their account, by a name that they will know it by. */
export function newPasskeyPage(look: Look, { action, back, fault, passkey }: AddProps & { passkey: PasskeyOptions }): string {
  const { factors, signIn } = look.language.texts;
  const { addPasskey, passkeyHint, passkeyLabel, noScript } = factors.account;
  return page(look, {
    title: addPasskey,
    children: (
      <>
        <h1>{addPasskey}</h1>
        <p>{passkeyHint}</p>
        <Fault>{fault}</Fault>
        <PasskeyForm {...passkey} action={action} fault={factors.faults.passkey}>
          <Field label={passkeyLabel} name="name" value={factors.passkeyName} autocomplete="off" />
          <button type="submit">{addPasskey}</button>
        </PasskeyForm>
        <noscript>
          <p>{noScript}</p>
        </noscript>
        <p class="after">
          <a href={back}>{signIn.cancel}</a>
        </p>
      </>
    ),
  });
}

function CodeField({ look, faulty }: { look: Look; faulty: boolean }) {
  const { label, hint } = look.language.texts.factors.code;
  return <Field label={label} name="code" inputMode="numeric" autocomplete="one-time-code" hint={hint} faulty={faulty} autofocus />;
}

function Cancel({ look, action }: { look: Look; action: string }) {
  return (
    <form method="post" action={action}>
      <button type="submit" class="quiet" name="cancel" value="yes">
        {look.language.texts.signIn.cancel}
      </button>
    </form>
  );
}

/** As a picture of paths: no image to fetch, no style, no script. Dark on light in either scheme, since scanners want that. */
function QrCode({ text, label }: { text: string; label: string }) {
  const { size, data } = encode(text, { ecc: 'M', border: 4 });
  const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('');
  return (
    <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
