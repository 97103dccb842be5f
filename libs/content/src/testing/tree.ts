import { repositoryPermissions } from '@latchkey/contracts';
import type { EntityManager } from '@latchkey/database';
import type { TestDatabase } from '@latchkey/database/testing';
import type { Caller } from '../caller.js';
import type { Address, ContentEntity } from '../node.js';
import { changePermissions } from '../node-permissions.js';
import type { ContentPermissionName } from '../permissions.js';
import { readCollection, readNode, type Query } from '../read.js';
import { createUser } from '../users.js';
import { wellKnown } from '../well-known.js';
import { createContent } from '../write.js';
import { makeRepository, type TestRepository } from './repository.js';

/** A repository made for a test, with an administrator and what a test does all the time. */
export class TestTree {
  readonly test: TestDatabase;
  readonly repository: TestRepository;
  readonly admin: Caller;

  private constructor(test: TestDatabase, repository: TestRepository) {
    this.test = test;
    this.repository = repository;
    this.admin = this.callerOf(wellKnown.publicAdmin);
  }

  static async make(test: TestDatabase): Promise<TestTree> {
    return new TestTree(test, await makeRepository(test.database));
  }

  callerOf(userId: number, permissions: Iterable<string> = repositoryPermissions): Caller {
    return { ...this.repository, userId, permissions: new Set(permissions) };
  }

  /** A person who is no administrator. */
  async person(loginName: string): Promise<Caller> {
    const user = await this.tx((tx) =>
      createUser(tx, wellKnown.admin, { ...this.repository, loginName, email: `${loginName}@example.com` }),
    );
    return this.callerOf(user.id);
  }

  tx<T>(work: (tx: EntityManager) => Promise<T>): Promise<T> {
    return this.test.database.transaction({ tenantId: this.repository.tenantId, repositoryId: this.repository.repositoryId }, work);
  }

  /** Makes a content at a path, by an administrator unless said otherwise. */
  create(path: string, type = 'Folder', fields: Record<string, unknown> = {}, caller = this.admin): Promise<ContentEntity> {
    const slash = path.lastIndexOf('/');
    const content = { type, name: path.slice(slash + 1), fields };
    return this.tx((tx) => createContent(tx, caller, { path: path.slice(0, slash) }, content));
  }

  /** Makes a content type of the repository's own. */
  type(name: string, definition: object): Promise<ContentEntity> {
    return this.create(`/Root/System/Schema/ContentTypes/${name}`, 'ContentType', { Definition: definition });
  }

  group(name: string): Promise<ContentEntity> {
    return this.tx(async (tx) => {
      const [row] = await tx.query<[{ id: number }]>(
        `WITH next AS (UPDATE content_counters SET next_id = next_id + 1 WHERE repository_id = $1 RETURNING next_id - 1 AS id)
         INSERT INTO content_nodes (repository_id, tenant_id, id, parent_id, name, path, type, permission_path, created_by, modified_by)
         SELECT $1, $2, id, 13, $3, '/Root/IMS/Public/' || $3, 'Group', ARRAY[2, 3, 13, id], 1, 1 FROM next RETURNING id`,
        [this.repository.repositoryId, this.repository.tenantId, name],
      );
      return readNode(tx, this.admin, { id: row.id });
    });
  }

  join(groupId: number, memberId: number): Promise<unknown> {
    const row = [this.repository.repositoryId, this.repository.tenantId, groupId, memberId];
    return this.tx((tx) =>
      tx.query('INSERT INTO content_group_members (repository_id, tenant_id, group_id, member_id) VALUES ($1, $2, $3, $4)', row),
    );
  }

  give(address: Address, identityId: number, permissions: ContentPermissionName[], hereOnly = false): Promise<void> {
    const grants = [{ identity: { id: identityId }, permissions, hereOnly }];
    return this.tx((tx) => changePermissions(tx, this.admin, address, { grants }));
  }

  breakInheritance(address: Address, keepInherited = false): Promise<void> {
    return this.tx((tx) => changePermissions(tx, this.admin, address, { inheritance: 'break', keepInherited }));
  }

  read(caller: Caller, address: Address) {
    return this.tx((tx) => readNode(tx, caller, address));
  }

  /** Paths of everything the caller sees below a path. */
  async paths(caller: Caller, path: string, query: Partial<Query> = {}): Promise<string[]> {
    const nodes = await this.tx((tx) => readCollection(tx, caller, { path }, { reach: 'subtree', ...query }));
    return nodes.map((node) => node.path).toSorted();
  }
}
