import type { Plan } from './plan.js';
import type { FirstStart } from './setup.js';

/** What there is to see, once everything is ready. */
export function banner(urls: Plan['urls'], folders: { portal: boolean; data: string; mail: string | undefined }, seconds: number): string {
  return lines(`Latchkey is ready (${seconds.toFixed(1)} s)`, [
    folders.portal && ['Portal', urls.portal],
    ['Tenant API', `${urls.tenantApi}/v1`],
    ['Documentation', `${urls.tenantApi}/docs`],
    ['Authorities', urls.authorities],
    ['Repository APIs', urls.repositoryApis],
    ['Data and logs', folders.data],
    folders.mail !== undefined && ['Mail', folders.mail],
    ['Stop', 'Ctrl-C'],
  ]);
}

/** The secrets of the first start, for the person at the terminal and nobody else. */
export function firstStartNotice({ ownerLink, credential }: FirstStart): string {
  return lines('Shown this once:', [
    ['Become the owner', ownerLink],
    ['Token URL', credential.tokenUrl],
    ['Client ID', credential.clientId],
    ['Client secret', credential.clientSecret],
  ]);
}

function lines(title: string, rows: (readonly [string, string] | false)[]): string {
  const shown = rows.filter((row) => row !== false);
  return [title, '', ...shown.map(([name, value]) => `  ${name.padEnd(18)}${value}`), ''].join('\n');
}
