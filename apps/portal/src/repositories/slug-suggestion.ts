/**
 * A slug made of a name, as far as the name has letters for one: "Käthe's Shop" gives "kathes-shop". It may still be too
 * short or taken; whoever decides is the API.
 */
export function suggestSlug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\p{Mn}'’]/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 40)
    .replace(/-+$/, '');
}
