import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { CanaryNodeView, NodeKind } from '@latchkey/contracts';

/** A process that accepts or accepted credentials. Rows come only from the nodes themselves, by way of `beat_node`. */
@Entity('nodes')
export class Node {
  @PrimaryColumn('uuid') id!: string;
  @Column('text') name!: string;
  @Column('text') kind!: NodeKind;
  /** Where this process and no other answers; not for the eyes of tenants. */
  @Column('text') url!: string;
  @Column('timestamptz') startedAt!: Date;
  /** When it last said that it is alive; it does so every few seconds. */
  @Column('timestamptz') seenAt!: Date;
  /** When it stopped of its own accord; null for one that was killed, too. */
  @Column('timestamptz', { nullable: true }) stoppedAt!: Date | null;
}

/** What a node saw of a cut-off. Rows come only from the nodes themselves, by way of `report_refusals`. */
@Entity('cutoff_reports')
export class CutoffReport {
  @PrimaryColumn('uuid') repositoryId!: string;
  @PrimaryColumn('uuid') cutoffId!: string;
  @PrimaryColumn('uuid') nodeId!: string;
  @Column('uuid') tenantId!: string;
  @Column('text') nodeName!: string;
  @Column('text') nodeKind!: NodeKind;
  /** By the database's clock, after the node had asked and been told that what was ended is dead. */
  @Column('timestamptz') refusedAt!: Date;
}

/** What the canary saw when it ended one of its own secrets. */
@Entity('canary_runs')
export class CanaryRun {
  @PrimaryColumn('uuid') id!: string;
  /** The slug of the repository whose credential was ended. */
  @Column('text') repository!: string;
  @Column('timestamptz') beganAt!: Date;
  /** Presentations that began after the call had answered. */
  @Column('integer') requests!: number;
  /** Those of them that were accepted. */
  @Column('integer') violations!: number;
  /** How long after the answer the last of these began; 0 when there was none. */
  @Column('double precision') acceptedForMillis!: number;
  @Column('jsonb') nodes!: CanaryNodeView[];
}
