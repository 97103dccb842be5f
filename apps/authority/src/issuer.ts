import type Provider from 'oidc-provider';
import type { SecondFactorMode } from '@latchkey/contracts';
import type { KnownRepository } from '@latchkey/credentials';
import type { Brand } from './pages/brand.js';

/** One repository's OpenID provider. */
export interface Issuer {
  repository: KnownRepository;
  /** What people call the repository. */
  name: string;
  /** How its pages look. */
  brand: Brand;
  /** With whom else people may sign in. */
  identityProviders: { id: string; name: string }[];
  url: string;
  /** Whether a password is enough. */
  secondFactor: SecondFactorMode;
  /** Characters that a new password must have at least. */
  shortestPassword: number;
  /** Whether people are told by mail that they signed in in a browser that they had not used before. */
  newDeviceMails: boolean;
  provider: Provider;
}
