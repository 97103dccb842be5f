export { boundClaims, tokenExpired, TokenVerifier, type VerifiedToken } from './access-token.js';
export { ApiKeys, endApiKeys, findApiKey, insertApiKey, listApiKeys, verifyApiKey, type KeysToEnd } from './api-key.js';
export { CredentialCheck, type Answer, type CheckedSecret, type ClientDetails, type Question } from './check.js';
export { ClientKeys, fetchClientKeys } from './client-key.js';
export { Clients, createClient, deleteClient, endClient, insertClient, listClients, newClientId } from './client.js';
export {
  addSecret,
  ClientSecrets,
  futureDate,
  insertSecret,
  makeSecret,
  regenerateSecret,
  regenerateToolSecret,
  revokeSecret,
  type FreshSecret,
  type SecretOwner,
} from './client-secret.js';
export { CredentialRefused, suspendedBecause } from './credential-refused.js';
export { sendLogoutToken, tellOfEnd, type EndedSession } from './back-channel-logout.js';
export { announced, carryOutCutoff, confirmCutoff, recordCutoff, type Ended, type PendingCutoff } from './cutoff.js';
export {
  assertionOptions,
  parseAssertion,
  preparePasskeys,
  registrationOptions,
  verifyAssertion,
  verifyRegistration,
  type RelyingParty,
} from './factors/passkey.js';
export { hashRecoveryCode, isRecoveryCode, newRecoveryCodes } from './factors/recovery-code.js';
export { newTotpSecret, spellTotpSecret, totpStep, totpUri } from './factors/totp.js';
export { findClient } from './find-client.js';
export { KeyRing, keyRingConfig } from './key-ring.js';
export { warnOfLackingPeppers } from './lacking-peppers.js';
export { dpopAlgorithms, type PresentedProof } from './dpop.js';
export { findLink, linkToken, orderLink, useLink } from './mailed-link.js';
export { matchSecret, type SecretMatch } from './match-secret.js';
export { hashPassword } from './password.js';
export { passwordFault, type PasswordFault } from './password-rules.js';
export { PlainSecret, randomText } from './plain-secret.js';
export { NodeReporter } from './proof.js';
export { issuersAtDomains, RepositoryDirectory, type KnownRepository } from './repository-directory.js';
export { daysUntil, duesOf, noticeDays, recommendedAgeDays, type Due } from './secret-age.js';
export { endRotation, type RotationEnd } from './rotation.js';
export { acceptEncryptionKey, sealSecret, thumbprintOf } from './sealed-secret.js';
export { liveSecrets } from './secret-versions.js';
export { RepositoryKeys, tendSigningKeys } from './repository-keys.js';
export { createSigningKey, generateSealedKey, replaceSigningKey, SigningKeys, type PrivateJwk, type SealedKey } from './signing-key.js';
export { checkPassword, findByName, nameKey, signIn, type RefusedSignIn, type SignedIn } from './sign-in.js';
export { consumerOf, UseRecorder, type Use } from './uses.js';
