import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The next free node id of a repository. */
@Entity('content_counters')
export class ContentCounter {
  @PrimaryColumn('uuid') repositoryId!: string;
  @Column('uuid') tenantId!: string;
  @Column('integer') nextId!: number;
}

/** One node of a repository's content tree. */
@Entity('content_nodes')
export class ContentNode {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') id!: number;
  @Column('uuid') tenantId!: string;
  @Column('integer', { nullable: true }) parentId!: number | null;
  @Column('text') name!: string;
  @Column('text') path!: string;
  /** The path in lower case, by which it is found. PostgreSQL makes it. */
  @Column({ type: 'text', insert: false, update: false }) pathKey!: string;
  @Column('text') type!: string;
  @Column('jsonb', { default: {} }) fields!: Record<string, unknown>;
  /** The node and its ancestors up to the last break in inheritance. */
  @Column('integer', { array: true }) permissionPath!: number[];
  @Column('integer', { default: 1 }) version!: number;
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date;
  @Column('integer') createdBy!: number;
  @Column('timestamptz', { default: () => 'now()' }) modifiedAt!: Date;
  @Column('integer') modifiedBy!: number;
}

/** A user or group that belongs to a group. */
@Entity('content_group_members')
export class ContentGroupMember {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') groupId!: number;
  @PrimaryColumn('integer') memberId!: number;
  @Column('uuid') tenantId!: string;
  /** False while the group is in the trash. */
  @Column('boolean', { default: true }) active!: boolean;
}

/** What a user or group may do on a node and, by inheritance, below it. */
@Entity('content_permissions')
export class ContentPermission {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('integer') nodeId!: number;
  @PrimaryColumn('integer') identityId!: number;
  @Column('uuid') tenantId!: string;
  /** See 1, Open 2, Save 4, AddNew 8, Delete 16. */
  @Column('integer') bits!: number;
}
