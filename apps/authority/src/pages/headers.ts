import type { Brand } from './brand.js';
import { stylesheetHash } from './stylesheet.js';

/**
 * Headers of every page: nothing but our own stylesheet, the repository's colours and its logo, never in a frame, never kept.
 *
 * @param formTargets where a form may lead by redirects besides this issuer; browsers hold the whole chain to it.
 */
export function pageHeaders({ styleHash }: Pick<Brand, 'styleHash'>, { formTargets = '', script = '' } = {}): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; style-src ${[stylesheetHash, styleHash].filter(Boolean).join(' ')}; img-src 'self'; script-src ${script || "'none'"}; form-action 'self' ${formTargets}; base-uri 'none'; frame-ancestors 'none'`,
    'x-frame-options': 'DENY',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  };
}

/** A redirect target as `form-action` takes it: the origin, or the scheme of an app that is not on the web. */
export function formTarget(url: URL): string {
  return url.origin === 'null' ? url.protocol : url.origin;
}
