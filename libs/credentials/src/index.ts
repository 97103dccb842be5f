export {
  boundClaims,
  CredentialRefused,
  TokenVerifier,
  type TokenBinding,
  type TokenVerifierOptions,
  type VerifiedToken,
} from './access-token.js';
export { CredentialCheck, type Answer, type CheckedSecret, type Question } from './check.js';
export { Clients, insertClient, newClientId } from './client.js';
export { ClientSecrets, insertSecret, matchSecret, type SecretMatch } from './client-secret.js';
export { announced, confirmCutoff, recordCutoff, type PendingCutoff } from './cutoff.js';
export { KeyRing, keyRingConfig } from './key-ring.js';
export { hashPassword, verifyPassword } from './password.js';
export { PlainSecret, randomText } from './plain-secret.js';
export { RepositoryDirectory, type KnownRepository } from './repository-directory.js';
export { signIn, type SignedIn } from './sign-in.js';
export { createSigningKey, SigningKeys, type PrivateJwk } from './signing-key.js';
