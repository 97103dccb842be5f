import { createHash } from 'node:crypto';
import { Problem, type BrandingView } from '@latchkey/contracts';
import { Logos } from '@latchkey/tenancy';
import { Browser } from './testing/browser.js';
import { Customer } from './testing/customer.js';
import { startAuthority, type RunningAuthority } from './testing/running-authority.js';

/** One pixel. */
const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const anotherPng = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

let running: RunningAuthority;
let customer: Customer;
let logos: Logos;

beforeAll(async () => {
  running = await startAuthority();
  customer = await Customer.open(running);
  logos = new Logos(running.database, running.options.authorityUrls);
});
afterAll(() => running.close());

const brand = (accentColor: string | null) =>
  customer.repositories.update(customer.tenant.machine, customer.slug, { branding: { accentColor } });
const setLogo = (image: string): Promise<BrandingView> => logos.set(customer.tenant.machine, customer.slug, { image });

/** Opens the sign-in page, as the app's request leads to it. */
async function openSignInPage(): Promise<{ html: string; policy: string }> {
  const { url } = await customer.request(await customer.discover());
  const { page } = await new Browser(running).follow(url, (at) => at.href.startsWith(customer.issuer));
  return { html: (await page?.text()) ?? '', policy: page?.headers.get('content-security-policy') ?? '' };
}

/** What a browser applies of a page's stylesheets under its policy. */
const appliedStyles = ({ html, policy }: { html: string; policy: string }) =>
  [...html.matchAll(/<style>([^<]*)<\/style>/g)]
    .map(([, style = '']) => style)
    .filter((style) => policy.includes(`'sha256-${createHash('sha256').update(style).digest('base64')}'`));

describe('the accent colour of a repository', () => {
  it('is on its pages at the next request, in shades that can be read, under a policy that allows just these stylesheets', async () => {
    const updated = await brand('#ffdd00');
    expect(updated.branding).toEqual({ accentColor: '#ffdd00', shownAs: { light: '#877500', dark: '#ffdd00' }, logoUrl: null });
    const page = await openSignInPage();
    expect(appliedStyles(page)).toHaveLength(2);
    expect(appliedStyles(page)[1]).toContain('--accent: #877500');
    expect(page.policy).toContain("default-src 'none'");
    expect(page.policy).not.toContain('unsafe');

    await brand(null);
    expect(appliedStyles(await openSignInPage())).toHaveLength(1);
  });

  it('colours no page of another repository', async () => {
    const other = await Customer.open(running);
    await brand('#aa0044');
    const response = await new Browser(running).go(`${other.issuer}/invitation/${'a'.repeat(43)}`);
    const page = { html: await response.text(), policy: response.headers.get('content-security-policy') ?? '' };
    expect([response.status, appliedStyles(page).length]).toEqual([404, 1]);
    await brand(null);
  });
});

describe('the logo of a repository', () => {
  it('is shown on its pages, and served as an image that may be kept and can run nothing', async () => {
    const { logoUrl } = await setLogo(png);
    const page = await openSignInPage();
    expect(page.html).toContain(`<img class="logo" src="${new URL(logoUrl ?? '').pathname}"`);
    expect(page.policy).toContain("img-src 'self'");
    const response = await fetch(logoUrl ?? '');
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'image/png',
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    expect(Buffer.from(await response.arrayBuffer()).toString('base64')).toBe(png);
  });

  it('has another address when it is another image; the earlier one is gone', async () => {
    const { logoUrl: earlier } = await setLogo(png);
    const { logoUrl: later } = await setLogo(anotherPng);
    expect(later).not.toBe(earlier);
    expect((await fetch(earlier ?? '')).status).toBe(404);
    expect((await fetch(later ?? '')).status).toBe(200);
    expect(await logos.remove(customer.tenant.machine, customer.slug)).toMatchObject({ logoUrl: null });
    expect((await fetch(later ?? '')).status).toBe(404);
    expect((await openSignInPage()).html).not.toContain('<img');
  });

  it('stays when the colour is changed, and is not found below another repository', async () => {
    const { logoUrl } = await setLogo(png);
    expect((await brand('#aa0044')).branding.logoUrl).toBe(logoUrl);
    const other = await Customer.open(running);
    expect((await fetch((logoUrl ?? '').replace(customer.slug, other.slug))).status).toBe(404);
  });

  const file = (...bytes: (string | Buffer)[]) =>
    Buffer.concat(bytes.map((part) => Buffer.from(part as string, 'latin1'))).toString('base64');
  const huge = Buffer.from(png, 'base64');
  huge.writeUInt32BE(30_000, 16);
  it.each([
    ['an SVG', file('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')],
    ['a page', file('<!doctype html><script>alert(1)</script>')],
    ['a GIF', file('GIF89a', Buffer.alloc(40))],
    ['only the beginning of a PNG', file('\x89PNG\r\n\x1a\n')],
    ['only the beginning of a JPEG', file('\xff\xd8\xff')],
    ['a WebP without a picture', file('RIFF\0\0\0\0WEBP')],
    ['a picture that takes a browser gigabytes', huge.toString('base64')],
    ['a file of more than 256 KiB', Buffer.concat([Buffer.from(png, 'base64'), Buffer.alloc(256 * 1024)]).toString('base64')],
  ])('is not %s', async (_what, image) => {
    const problem = await setLogo(image).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(Problem);
    expect((problem as Problem).type).toBe('invalid-request');
  });
});
