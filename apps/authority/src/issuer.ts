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
  url: string;
  /** Until when its settings stay as they are if nobody changes them, in milliseconds since the epoch: a key may be about to sign. */
  until: number;
  /** Whether a password is enough. */
  secondFactor: SecondFactorMode;
  provider: Provider;
}
