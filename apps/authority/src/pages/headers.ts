import type { IncomingMessage } from 'node:http';
import type { Brand } from './brand.js';
import { stylesheetHash } from './stylesheet.js';

/**
 * Headers of every page: nothing but our own stylesheet, the repository's colours and its logo, never in a frame, never kept.
 *
 * @param formTargets where a form may lead by redirects besides this issuer; see `formTarget`.
 */
export function pageHeaders({ styleHash }: Pick<Brand, 'styleHash'>, { formTargets = '', script = '' } = {}): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src ${[stylesheetHash, styleHash].filter(Boolean).join(' ')}; img-src 'self'; script-src ${script || "'none'"}; form-action ${[`'self'`, formTargets].filter(Boolean).join(' ')}; base-uri 'none'; frame-ancestors 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

/** Whether an address is on the web, where apps may redirect further: a form leads there by a page (see onward.tsx). */
export function isOnTheWeb(url: URL | null): boolean {
  return url?.protocol === 'https:' || url?.protocol === 'http:';
}

/** Whether whoever asks reads pages, as browsers say of every navigation. Tools follow redirects. */
export function readsPages({ headers }: IncomingMessage): boolean {
  return headers.accept?.includes('text/html') === true;
}

/** What `form-action` must allow for a form to lead to an app: the scheme of one that is not on the web. */
export function formTarget(url: URL | null): string {
  return url && !isOnTheWeb(url) ? url.protocol : '';
}
