import { findLogo } from '@latchkey/tenancy';
import type { Visit } from './visit.js';

/**
 * Answers with the repository's logo: `/branding/logo/<version>`. Another image has another address, so this one may be kept.
 * Whatever the file holds, a browser takes it for nothing but an image of the type that we found it to be.
 */
export async function serveLogo(visit: Visit, version: string): Promise<void> {
  const { authority, issuer, response } = visit;
  const logo = await findLogo(authority.database, issuer.repository.id, version);
  if (!logo) return visit.say(404, { title: visit.texts.problem.title, text: visit.texts.problem.noRepository });
  response.writeHead(200, {
    'content-type': logo.contentType,
    'content-length': logo.image.length,
    'content-security-policy': "default-src 'none'; sandbox",
    'x-content-type-options': 'nosniff',
    // The portal, which shows it too, is on another origin.
    'cross-origin-resource-policy': 'cross-origin',
    'cache-control': 'public, max-age=31536000, immutable',
  });
  response.end(logo.image);
}
