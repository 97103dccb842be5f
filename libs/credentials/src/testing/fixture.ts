import { randomBytes } from 'node:crypto';
import { tenantPermissions, type NewSecretView } from '@latchkey/contracts';
import { machineActor, type Actor } from '@latchkey/access';
import { connectForChecks, newId, Repository, RepositorySlug, RepositoryUser, Tenant, type Pool } from '@latchkey/database';
import { createTestDatabase, type TestDatabase } from '@latchkey/database/testing';
import { CredentialCheck } from '../check.js';
import { insertClient } from '../client.js';
import { insertSecret } from '../client-secret.js';
import { KeyRing } from '../key-ring.js';
import { createSigningKey } from '../signing-key.js';

/** A repository with one tool client, as the credentials lib sees it. */
export interface RepositoryFixture {
  tenantId: string;
  id: string;
  slug: string;
  toolId: string;
  secret: NewSecretView;
  actor: Actor;
}

/** A database with as many tenants as a test wants, each with one repository. */
export interface CredentialsFixture extends TestDatabase {
  pool: Pool;
  check: CredentialCheck;
  peppers: KeyRing;
  encryption: KeyRing;
  newRepository: (slug: string, environment?: 'production' | 'integration') => Promise<RepositoryFixture>;
  close: () => Promise<void>;
}

/** The user in whose name the fixture's tools act. */
export const toolUserId = 12;

export function freshKeyRing(): KeyRing {
  return KeyRing.parse(`k1:${randomBytes(32).toString('base64')}`);
}

/** Someone who may do everything in a tenant. */
export function actorOf(tenantId: string): Actor {
  return machineActor(tenantId, 'tenant_test', tenantPermissions, { requestId: newId() });
}

export async function openFixture(): Promise<CredentialsFixture> {
  const test = await createTestDatabase();
  const pool = connectForChecks({ url: test.url });
  const [peppers, encryption] = [freshKeyRing(), freshKeyRing()];

  const newRepository: CredentialsFixture['newRepository'] = async (slug, environment = 'production') =>
    test.database.transaction('system', async (tx) => {
      const [tenantId, id] = [newId(), newId()];
      const settings = {
        allowedOrigins: [],
        accessTokenSeconds: 600,
        toolTokenSeconds: 3600,
        refreshTokenSeconds: 86_400,
        sessionSeconds: 86_400,
        signingAlgorithm: 'ES256' as const,
      };
      await tx.insert(Tenant, { id: tenantId, name: slug });
      await tx.insert(RepositorySlug, { slug, repositoryId: id, tenantId });
      await tx.insert(Repository, { tenantId, id, slug, name: slug, environment, settings });
      await tx.insert(RepositoryUser, {
        repositoryId: id,
        id: toolUserId,
        tenantId,
        loginName: 'publicadmin',
        name: 'Tool',
        technical: true,
      });
      const tool = await insertClient(tx, { repositoryId: id, tenantId, kind: 'tool', name: 'Tool', userId: toolUserId });
      const secret = await insertSecret(tx, peppers, { tenantId, repositoryId: id, clientId: tool.id, environment });
      await createSigningKey(tx, encryption, { tenantId, id });
      return { tenantId, id, slug, toolId: tool.id, secret, actor: actorOf(tenantId) };
    });

  return {
    ...test,
    pool,
    check: new CredentialCheck(pool),
    peppers,
    encryption,
    newRepository,
    close: async () => {
      await pool.end();
      await test.drop();
    },
  };
}
