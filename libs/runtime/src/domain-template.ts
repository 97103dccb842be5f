/** Where the authority of a repository answers at a tenant's own domain: a URL with `{domain}` as its host. */
export class DomainTemplate {
  readonly #template: string;

  /** @throws Error that says what is wrong with the template. */
  constructor(template: string) {
    if (!/^https?:\/\/\{domain\}(?::\d{1,5})?\/?$/.test(template)) throw new Error('must be https://{domain}, with a port if need be');
    this.#template = template.replace(/\/$/, '');
  }

  /** The issuer at a domain, without a slash at the end. */
  of(domain: string): string {
    return this.#template.replace('{domain}', domain);
  }

  /** The domain of an issuer; nothing when it is not one of a domain. */
  domainOf(issuer: string): string | undefined {
    const domain = URL.parse(issuer)?.hostname;
    return domain !== undefined && this.of(domain) === issuer ? domain : undefined;
  }
}

/** The domain that a Host header names, if it can be one: no address and no single word. */
export function domainOfHost(host: string | undefined): string | undefined {
  const [, domain] = /^((?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62})(?::\d{1,5})?$/i.exec(host ?? '') ?? [];
  return domain?.toLowerCase();
}
