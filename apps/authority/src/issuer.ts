import type Provider from 'oidc-provider';
import type { KnownRepository } from '@latchkey/credentials';

/** One repository's OpenID provider. */
export interface Issuer {
  repository: KnownRepository;
  /** What people call the repository. */
  name: string;
  url: string;
  provider: Provider;
}
