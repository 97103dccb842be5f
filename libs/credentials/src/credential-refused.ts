import type { MemberCredentialRefusal } from '@latchkey/contracts';
import type { StoredClientKind } from '@latchkey/database';

/** Whose a credential is that is genuine, and dead. */
export interface Holder {
  clientId: string;
  clientKind: StoredClientKind;
  /** The tenant that the client belongs to. */
  tenantId: string;
  userId: number;
}

/** A credential that is not accepted. The reason is for the log and for `error_description`; it names no secret. */
export class CredentialRefused extends Error {
  /** @param holder whose it is, as far as it is proved and known; for the audit trail. */
  constructor(
    readonly reason: string,
    readonly holder?: Holder,
  ) {
    super(reason);
    this.name = 'CredentialRefused';
  }
}

const policies: Record<MemberCredentialRefusal, string> = {
  role: 'the role of its member is too low',
  federated: 'its member signs in by federation',
  'mfa-enforced': 'multi-factor authentication is enforced',
};

/** What is said of a member's credential that the policy of the tenant does not let work: to its holder, and in the trail. */
export function suspendedBecause(refusal: MemberCredentialRefusal): string {
  return `the policy of the tenant suspends this credential: ${policies[refusal]}`;
}
