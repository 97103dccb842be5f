/** A browser, as far as cookies, redirects and pages that send on go. */
export class CookieBrowser {
  readonly cookies = new Map<string, string>();

  /** Opens an address, or sends a form to it. Follows no redirect; a page that only sends the browser on is one (303). */
  async go(url: string | URL, form?: Record<string, string>, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(10_000),
      headers: { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '), accept: 'text/html', ...headers },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value) this.cookies.set(name, value);
      else this.cookies.delete(name);
    }
    const [, onward] = /<meta http-equiv="refresh" content="0;url=([^"]*)"/.exec(await response.clone().text()) ?? [];
    if (onward === undefined) return response;
    return new Response(null, { status: 303, headers: [...response.headers, ['location', onward.replaceAll('&amp;', '&')]] });
  }

  /** Follows redirects until one leads away. @returns where to, or the page that it ends at. */
  async follow(url: string | URL, stay: (url: URL) => boolean): Promise<{ url: URL; page?: Response }> {
    let at = new URL(url);
    for (let hops = 0; hops < 10; hops++) {
      const response = await this.go(at);
      const location = response.headers.get('location');
      if (location === null) return { url: at, page: response };
      at = new URL(location, at);
      if (!stay(at)) return { url: at };
    }
    throw new Error('redirected in a circle');
  }
}

/** The value of a hidden field in a page. */
export function hiddenField(html: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
}
