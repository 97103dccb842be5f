/**
 * Where repositories are reached: a URL with `{repository}` in it, once, as a path segment or as the first label of the
 * host (`http://localhost:4100/{repository}`, `https://{repository}.auth.example.com`).
 */
export class AddressTemplate {
  readonly #template: string;
  /** What the host must be, with the slug captured if it stands there. */
  readonly #host: RegExp;
  /** What the path must begin with, with the slug captured if it stands there. */
  readonly #path: RegExp;

  /** @throws Error that says what is wrong with the template. */
  constructor(template: string) {
    const trimmed = template.replace(/\/+$/, '');
    if (trimmed.split('{repository}').length !== 2) throw new Error('must hold {repository} exactly once');
    const url = URL.parse(trimmed.replace('{repository}', 'repository-slug'));
    if (!url || !/^https?:$/.test(url.protocol)) throw new Error('must be an http or https URL');
    if (url.search || url.hash || url.username) throw new Error('must have no query, fragment or user info');
    this.#template = trimmed;
    const pattern = (text: string) => text.split('repository-slug').map(RegExp.escape).join('([a-z][a-z0-9-]*)');
    this.#host = new RegExp(`^${pattern(url.host)}$`, 'i');
    this.#path = new RegExp(`^${url.pathname === '/' ? '' : pattern(url.pathname)}(?=[/?]|$)`);
  }

  /** The address of one repository, without a slash at the end. */
  of(slug: string): string {
    return this.#template.replace('{repository}', slug);
  }

  /** Whether a Host header is one of this template's. */
  isHost(host: string | undefined): boolean {
    return this.#host.test(host ?? '');
  }

  /**
   * Which repository a request is for, and the rest of its address (`/` or more, with the query). The Host header counts
   * only when the slug stands there: a node behind another name still serves the path form.
   */
  find(host: string | undefined, url: string): { slug: string; rest: string } | undefined {
    const atPath = this.#path.exec(url);
    if (!atPath) return undefined;
    const slug = atPath[1] ?? this.#host.exec(host ?? '')?.[1];
    if (!slug) return undefined;
    const rest = url.slice(atPath[0].length);
    return { slug: slug.toLowerCase(), rest: rest.startsWith('/') ? rest : `/${rest}` };
  }
}
