import { createHash } from 'node:crypto';
import { readableAccent } from '@latchkey/contracts';
import type { RepositoryBranding } from '@latchkey/database';
import { logoPath } from '@latchkey/tenancy';

/** What makes the pages of one repository its own. */
export interface Brand {
  /** A stylesheet after ours, with its colours; empty without any. */
  style: string;
  /** How a Content-Security-Policy names that stylesheet. */
  styleHash: string;
  /** The address of its logo, from the root of the host. */
  logo?: string;
}

/** Our own look. */
export const noBrand: Brand = { style: '', styleHash: '' };

/** The brand of the repository whose issuer has this address. */
export function brandOf({ accentColor, logo }: RepositoryBranding = {}, issuerUrl: string): Brand {
  const below = new URL(issuerUrl).pathname.replace(/\/$/, '');
  return { ...styleOf(accentColor), ...(logo ? { logo: below + logoPath(logo) } : {}) };
}

function styleOf(accentColor: string | null | undefined): Brand {
  if (!accentColor) return noBrand;
  const { light, dark } = readableAccent(accentColor);
  const style = `:root { --accent: ${light}; } @media (prefers-color-scheme: dark) { :root { --accent: ${dark}; } }`;
  return { style, styleHash: `'sha256-${createHash('sha256').update(style).digest('base64')}'` };
}
