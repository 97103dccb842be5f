import { join } from 'node:path';
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Starts a headless browser of its own: the one at CHROMIUM_PATH, where `npm test` says what it found. @throws when it says none. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_PATH'];
  if (!executablePath) throw new Error('Say with CHROMIUM_PATH where a Chromium is');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      // An eighth less of Chromium's processor time: nothing here is drawn in three dimensions.
      '--disable-software-rasterizer',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** Fills in the sign-in page that is open and sends it. */
export async function submitSignIn(page: Page, login: string, password: string): Promise<void> {
  await page.getByLabel('User name or e-mail').fill(login);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

/** Keeps a picture of the page where SCREENSHOTS says, for people to look at. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env['SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

/** Keeps pictures of the page at each width, in light and in dark, where SCREENSHOTS says. */
export async function keepPictures(page: Page, name: string, widths: number[]): Promise<void> {
  if (!process.env['SCREENSHOTS']) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
      // What moves aside, or changes its colour, takes its time.
      await page.waitForTimeout(300);
      await keepPicture(page, `${name}-${width}-${colorScheme}`);
    }
  }
}

/** Looks at a page: keeps a picture where SCREENSHOTS says, for people. @returns what axe finds wrong with it, in either colour scheme. */
export async function look(page: Page, name: string): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme });
    found.push(...(await accessibilityFaults(page, colorScheme === 'dark' ? 'color-contrast' : undefined)));
    await keepPicture(page, `${name}-${colorScheme}`);
  }
  return found;
}

/** Also the one of WCAG 2.2 that axe leaves out by itself. */
const allRules = { rules: { 'target-size': { enabled: true } } };

/**
 * What axe finds wrong with the page once it has come to rest, for whoever cannot see it or uses no mouse; nothing when it is right.
 * @param only one of its rules, for what alone has changed.
 */
export function accessibilityFaults(page: Page, only?: 'color-contrast'): Promise<string[]> {
  return atRest(page, () => accessibilityFaultsNow(page, only));
}

/** What is still wrong when what moves aside, or changes its colour, has had its time. */
async function atRest(page: Page, faultsNow: () => Promise<string[]>): Promise<string[]> {
  let faults = await faultsNow();
  for (let look = 0; faults.length > 0 && look < 15; look++) {
    await page.waitForTimeout(100);
    faults = await faultsNow();
  }
  return faults;
}

async function accessibilityFaultsNow(page: Page, only?: 'color-contrast'): Promise<string[]> {
  await giveAxe(page);
  const { violations } = await page.evaluate<axe.AxeResults>(
    `axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], ...(only ? { runOnly: [only] } : allRules) })})`,
  );
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** Gives a page axe, once: going on within it does not take it away. */
async function giveAxe(page: Page): Promise<void> {
  if (!(await page.evaluate<boolean>(`'axe' in globalThis`))) await page.evaluate(axe.source);
}

/** How far what is on the page has jumped by itself since it was opened or asked about last: people notice 0.1 (Layout Instability). */
export function jumped(page: Page): Promise<number> {
  return page.evaluate<number>(`(async () => {
    const begin = () => {
      const seen = { sum: 0 };
      const add = (list) => list.getEntries().forEach(({ value, hadRecentInput }) => hadRecentInput || (seen.sum += value));
      new PerformanceObserver(add).observe({ type: 'layout-shift', buffered: true });
      return seen;
    };
    const seen = (globalThis.jumps ??= begin());
    // A busy machine draws late what was asked for before, such as another width.
    for (let frame = 0; frame < 3; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { sum } = seen;
    seen.sum = 0;
    return sum;
  })()`);
}

/** What is not laid out as it should be at each of these widths, once the page has come to rest there. */
export async function layoutFaults(page: Page, widths: number[]): Promise<string[]> {
  const found: string[] = [];
  for (const width of widths) {
    await page.setViewportSize({ width, height: width < 600 ? 844 : 900 });
    const faults = await atRest(page, () => layoutFaultsNow(page));
    found.push(...faults.map((fault) => `${width}: ${fault}`));
  }
  return found;
}

/**
 * What is not laid out as it should be at the width that the page has now: it scrolls sideways; words are cut off without an
 * ellipsis; something to press is outside the screen, or smaller than WCAG 2.2 asks for (§2.5.8: 24 by 24 pixels; what stands in a
 * sentence or has a label that can be pressed too is exempt).
 */
function layoutFaultsNow(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const faults = [];
    const { scrollWidth } = document.documentElement;
    if (scrollWidth > innerWidth) faults.push('the page is ' + scrollWidth + ' wide');
    for (const element of document.body.querySelectorAll('*')) {
      const { width, height, left, right } = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      // What is for screen readers alone is a pixel wide.
      if (width <= 1 || height <= 1 || style.visibility === 'hidden' || element.closest('svg')) continue;
      const what = element.tagName + ' “' + (element.getAttribute('aria-label') ?? element.innerText ?? '').slice(0, 60) + '”';
      const clips = ['hidden', 'clip'].includes(style.overflowX) && style.textOverflow !== 'ellipsis' && element.tagName !== 'INPUT';
      if (clips && element.scrollWidth > element.clientWidth + 1) faults.push(what + ' is cut off');
      const scrolls = ['auto', 'scroll'].includes(style.overflowX) && element.tagName !== 'PRE';
      if (scrolls && element.scrollWidth > element.clientWidth + 1) faults.push(what + ' scrolls sideways');
      if (!element.matches('a, button, select, summary, [role=tab]') || style.display === 'inline') continue;
      if (width < 24 || height < 24) faults.push(what + ' is ' + Math.round(width) + ' by ' + Math.round(height));
      if (left < 0 || right > innerWidth + 1) faults.push(what + ' is outside the screen');
    }
    return faults;
  })()`);
}
