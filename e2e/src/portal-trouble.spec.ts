import type { Browser, BrowserContext, Page } from 'playwright-core';
import { submitSignIn } from './browser.js';
import { goWithin, nameOf, openOwnersPortal, password } from './owners-portal.js';
import { failAndRecover, formsOf, readInTrouble, waitInVain } from './portal-forms.js';
import type { RunningProduct } from './product.js';
import { sharedProductWithTenant } from './shared-product.js';
import { freshSlug } from './tenant.js';

/** Every form of the portal, and what its pages say, when the API is slow, failing, gone, or knows the person no longer. */
let product: RunningProduct;
let browser: Browser;
let context: BrowserContext;
let page: Page;

const slug = freshSlug('shop');

beforeAll(async () => {
  product = await sharedProductWithTenant('Trouble');
  ({ browser, context, page } = await openOwnersPortal(product, slug, 'olga'));
});
afterAll(async () => {
  await browser?.close();
});

const go = (path: string) => goWithin(page, path);

/** Olga ends her sessions at another place, and signs in again in the window that opens. */
const session = {
  end: async () => {
    const elsewhere = await context.newPage();
    await elsewhere.goto(`${product.authorityUrl('console')}/account`);
    await elsewhere.getByRole('button', { name: 'Sign out everywhere' }).click();
    await elsewhere.getByText('You are signed out everywhere').waitFor();
    await elsewhere.close();
  },
  signIn: (window: Page) => submitSignIn(window, 'olga', password),
};

describe('the pages of the portal', () => {
  it('say that they are reading while the API is slow, and what went wrong when it fails, with a way to try again', async () => {
    await readInTrouble(page, '**/v1/members?**', 'Members', () => page.goto(`${product.tenantApiUrl}/members`));
    await page.getByText(`${nameOf('olga')} (you)`).waitFor();
  });

  describe.each(formsOf(slug))('in a form, $name,', (form) => {
    it('say what went wrong, keep what was typed, and do it once, whatever is in the way', async () => {
      if (page.url().endsWith(form.path)) await go('/');
      await go(form.path);
      await form.fill(page);
      await failAndRecover(page, form, form.path === '/new-repository' ? session : undefined);
    });
  });

  it('wait half a minute for an answer, and then say that there is none', async () => {
    await go('/members');
    await waitInVain(page);
  });
});
