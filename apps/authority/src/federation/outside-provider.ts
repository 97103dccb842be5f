/** Who somebody is at a provider outside, as it says. */
export interface OutsideIdentity {
  /** What it calls them, for ever. */
  subject: string;
  /** Only if the provider says that it has verified the address. */
  verifiedEmail: string | undefined;
  name: string | undefined;
  /** What they are called there; wishes for a user name. */
  loginName: string | undefined;
}

/** What must be remembered between sending somebody away and their coming back. */
export interface Errand {
  state: string;
  nonce: string;
  codeVerifier: string;
}

/** Somebody outside who knows who people are. */
export interface OutsideProvider {
  /** Where to send the browser. @throws ProviderFault. */
  begin(errand: Errand, redirectUri: string, options: { again: boolean }): Promise<URL>;
  /** Who came back. @param answer the address with which they did. @throws ProviderFault. */
  finish(errand: Errand, answer: URL): Promise<OutsideIdentity>;
}

/** That a provider does not say who somebody is. */
export class ProviderFault extends Error {
  /** @param reason `declined`: the person or the provider said no; `failed`: something does not work or is not right. */
  constructor(
    readonly reason: 'declined' | 'failed',
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'ProviderFault';
  }
}
