import { createHash } from 'node:crypto';
import { imageSize } from 'image-size';
import { maxLogoBytes, Problem, readableAccent, type BrandingView, type LogoBody } from '@latchkey/contracts';
import { audit, authorize, carryOut, enter, type Actor } from '@latchkey/access';
import { Repository, RepositoryLogo, type Database, type EntityManager, type RepositoryBranding } from '@latchkey/database';
import type { AddressTemplate } from '@latchkey/runtime';

/** The kinds of images that a logo may be, by their first bytes in hexadecimal. SVG is none of them: it is a document, with scripts and links. */
const kinds: { type: 'png' | 'jpg' | 'webp'; contentType: string; begins: RegExp }[] = [
  { type: 'png', contentType: 'image/png', begins: /^89504e470d0a1a0a/ },
  { type: 'jpg', contentType: 'image/jpeg', begins: /^ffd8ff/ },
  { type: 'webp', contentType: 'image/webp', begins: /^52494646.{8}57454250/ },
];

/** A small file can hold a picture that takes a browser gigabytes to draw. */
const maxPixels = 2048;

/** The logo of a repository, as its tenant sets it. Its accent colour is a setting like others: see `Repositories.update`. */
export class Logos {
  readonly #database: Database;
  readonly #authorityUrls: AddressTemplate;

  constructor(database: Database, authorityUrls: AddressTemplate) {
    this.#database = database;
    this.#authorityUrls = authorityUrls;
  }

  /**
   * Shows this logo on the sign-in pages from the next request on, instead of the one before.
   *
   * @throws Problem `invalid-request` for anything but a PNG, JPEG or WebP image of at most 256 KiB and 2048 by 2048 pixels.
   */
  async set(actor: Actor, slug: string, body: LogoBody): Promise<BrandingView> {
    authorize(actor, 'repositories:write');
    const image = Buffer.from(body.image, 'base64');
    const contentType = contentTypeOf(image);
    const version = createHash('sha256').update(image).digest('hex').slice(0, 32);
    return this.#change(actor, slug, 'repository.logo.set', version, async (tx, { id, tenantId }) => {
      await tx.upsert(RepositoryLogo, { repositoryId: id, tenantId, version, contentType, image, createdAt: new Date() }, ['repositoryId']);
    });
  }

  /** Shows the first letter of the repository's name again. Does nothing when there is no logo. */
  async remove(actor: Actor, slug: string): Promise<BrandingView> {
    authorize(actor, 'repositories:write');
    return this.#change(actor, slug, 'repository.logo.removed', null, async (tx, { id }) => {
      await tx.delete(RepositoryLogo, { repositoryId: id });
    });
  }

  async #change(
    actor: Actor,
    slug: string,
    action: string,
    logo: string | null,
    write: (tx: EntityManager, repository: Repository) => Promise<void>,
  ): Promise<BrandingView> {
    return carryOut(this.#database, actor, async (tx) => {
      const repository = await enter(tx, slug, { lock: true });
      await write(tx, repository);
      const { tenantId, id, settings, settingsVersion } = repository;
      const branding = { ...settings.branding, logo };
      await tx.update(Repository, { tenantId, id }, { settings: { ...settings, branding }, settingsVersion: settingsVersion + 1 });
      await audit(tx, actor, { action, repositoryId: id, targetKind: 'repository', targetId: id, details: { version: logo } });
      return presentBranding(branding, this.#authorityUrls.of(slug));
    });
  }
}

/** How a repository's pages look, for whoever may see its settings. */
export function presentBranding({ accentColor = null, logo }: RepositoryBranding = {}, authorityUrl: string): BrandingView {
  return {
    accentColor,
    shownAs: accentColor === null ? null : readableAccent(accentColor),
    logoUrl: logo ? `${authorityUrl}${logoPath(logo)}` : null,
  };
}

/** Where a logo lies below the issuer. */
export const logoPath = (version: string) => `/branding/logo/${version}`;

/** The logo of this version, or nothing when the repository has another one or none. */
export async function findLogo(database: Database, repositoryId: string, version: string): Promise<RepositoryLogo | null> {
  return database.read({ repositoryId }, (tx) => tx.findOneBy(RepositoryLogo, { repositoryId, version }));
}

/** @throws Problem `invalid-request`. */
function contentTypeOf(image: Buffer): string {
  const kind = kinds.find(({ begins }) => begins.test(image.subarray(0, 16).toString('hex')));
  if (!kind) throw refusal('is not a PNG, JPEG or WebP image');
  if (image.length > maxLogoBytes) throw refusal('is larger than 256 KiB');
  const size = sizeOf(image);
  if (size?.type !== kind.type || !size.width || !size.height) throw refusal('is a broken image');
  if (size.width > maxPixels || size.height > maxPixels) throw refusal(`is larger than ${maxPixels} by ${maxPixels} pixels`);
  return kind.contentType;
}

function sizeOf(image: Buffer) {
  try {
    return imageSize(image);
  } catch {
    return undefined;
  }
}

function refusal(detail: string): Problem {
  return new Problem('invalid-request', `The logo ${detail}.`, { errors: [{ pointer: '/image', detail }] });
}
