/** A credential that is not accepted. The reason is for the log and for `error_description`; it names no secret. */
export class CredentialRefused extends Error {
  constructor(readonly reason: string) {
    super(reason);
    this.name = 'CredentialRefused';
  }
}
