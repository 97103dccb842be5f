import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openKeptInstallation } from '@latchkey/start/kept-installation';
import { freePortBase, running, startProduct, type Credential, type RunningProduct } from './product.js';

/** Tells the files of a run where the product is that they share. */
const variable = 'LATCHKEY_E2E_PRODUCT';
const setup = fileURLToPath(new URL('../../apps/tenant-api/dist/setup.js', import.meta.url));

/** Starts it, and tells the files of this run. @returns ends it and removes what it kept. */
export async function startSharedProduct(): Promise<() => Promise<void>> {
  const portBase = await freePortBase();
  const { dataDir, credential, ownerLink, stop, clean } = await startProduct({
    portBase,
    arguments: ['--authorities', '2', '--repository-apis', '2'],
    environment: { DNS_SERVERS: `127.0.0.1:${dnsPort({ portBase })}` },
  });
  process.env[variable] = JSON.stringify({ portBase, dataDir, credential, ownerLink });
  return async () => {
    await stop();
    await clean();
  };
}

/** Where it looks for TXT records: the one file that proves a domain answers there. */
export const dnsPort = ({ portBase }: Pick<RunningProduct, 'portBase'>): number => portBase + 98;

/**
 * The product of this run, with two authorities and two repository APIs behind one port each, which other files use at the same
 * time: for a file that stops nothing, and has its own repositories in the first tenant. The owner's link is nobody's to take.
 */
export function sharedProduct(): RunningProduct {
  const known = process.env[variable];
  if (known === undefined) throw new Error('There is no shared product: it is started by Jest before the files of e2e');
  return running(JSON.parse(known) as RunningProduct);
}

/** The product of this run with a new tenant, which is the file's alone; its people need names that no other file uses. */
export async function sharedProductWithTenant(name: string): Promise<RunningProduct> {
  const { portBase, dataDir, tenantApiUrl, authorityUrl, repositoryUrl } = sharedProduct();
  const { databaseUrl, ownerUrl, secretPeppers, keyEncryptionKeys } = await openKeptInstallation(dataDir, {});
  const { stdout } = await promisify(execFile)(process.execPath, [setup, '--json', '--tenant', name], {
    env: {
      ...process.env,
      DATABASE_URL: databaseUrl,
      DATABASE_OWNER_URL: ownerUrl,
      SECRET_PEPPERS: secretPeppers,
      KEY_ENCRYPTION_KEYS: keyEncryptionKeys,
      AUTHORITY_URL_TEMPLATE: authorityUrl('{repository}'),
      REPOSITORY_URL_TEMPLATE: repositoryUrl('{repository}'),
      TENANT_API_URL: tenantApiUrl,
      PORTAL_URL: tenantApiUrl,
    },
  });
  const { first } = JSON.parse(stdout) as { first: { ownerLink: string; credential: Credential } };
  return running({ portBase, dataDir, ...first });
}
