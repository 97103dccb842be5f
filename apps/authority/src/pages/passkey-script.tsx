import { createHash } from 'node:crypto';
import type { ComponentChildren } from 'preact';

/** What a page asks the browser for. */
export interface PasskeyOptions {
  /** Make one, or use one. */
  kind: 'create' | 'get';
  /** PublicKeyCredentialCreationOptionsJSON or PublicKeyCredentialRequestOptionsJSON (WebAuthn Level 3 §5.1). */
  options: object;
}

/**
 * Shows the form of passkeys where the browser has them, asks it for one, and sends the answer as the field `passkey`. On the
 * sign-in page the browser may also offer passkeys by itself, where the user name is typed. A page without script is the same
 * without passkeys.
 */
const script = `(() => {
  const form = document.querySelector('form[data-passkey]');
  if (!form || !window.PublicKeyCredential) return;
  const { kind, options, autofill } = JSON.parse(form.dataset.passkey);
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/[+]/g, '-').replace(/[/]/g, '_').replace(/=+$/, '');
  const named = (list) => list && list.map((each) => ({ ...each, id: bytes(each.id) }));
  const publicKey = { ...options, challenge: bytes(options.challenge) };
  if (options.user) publicKey.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) publicKey.excludeCredentials = named(options.excludeCredentials);
  if (options.allowCredentials) publicKey.allowCredentials = named(options.allowCredentials);
  const fault = form.querySelector('[data-fault]');
  const send = (credential) => {
    const from = credential.response;
    const response = { clientDataJSON: text(from.clientDataJSON) };
    for (const part of ['attestationObject', 'authenticatorData', 'signature', 'userHandle']) if (from[part]) response[part] = text(from[part]);
    if (from.getTransports) response.transports = from.getTransports();
    const answer = { id: credential.id, rawId: credential.id, type: credential.type, clientExtensionResults: {}, response };
    form.elements.passkey.value = JSON.stringify(answer);
    form.submit();
  };
  let waiting = new AbortController();
  const ask = async (more) => {
    waiting.abort();
    waiting = new AbortController();
    const { signal } = waiting;
    try {
      send(await navigator.credentials[kind]({ publicKey, signal, ...more }));
    } catch {
      if (!signal.aborted && !more) fault.hidden = false;
    }
  };
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    fault.hidden = true;
    void ask();
  });
  if (autofill && PublicKeyCredential.isConditionalMediationAvailable)
    PublicKeyCredential.isConditionalMediationAvailable().then((able) => able && ask({ mediation: 'conditional' }));
})();`;

/** How a Content-Security-Policy names the script (CSP Level 3 §2.3.1). */
export const passkeyScriptHash = `'sha256-${createHash('sha256').update(script).digest('base64')}'`;

export interface PasskeyFormProps extends PasskeyOptions {
  action: string;
  /** Shown when the browser has given up. */
  fault: string;
  /** The browser may offer passkeys where the user name is typed. */
  autofill?: boolean;
  /** The button, and what goes before it. */
  children: ComponentChildren;
}

/** A form that asks for a passkey. Hidden until the script has seen that there can be one. */
export function PasskeyForm({ action, kind, options, fault, autofill = false, children }: PasskeyFormProps) {
  return (
    <>
      <form method="post" action={action} hidden data-passkey={JSON.stringify({ kind, options, autofill })}>
        <p class="fault" role="alert" hidden data-fault>
          {fault}
        </p>
        <input type="hidden" name="passkey" />
        {children}
      </form>
      <script dangerouslySetInnerHTML={{ __html: script }} />
    </>
  );
}
