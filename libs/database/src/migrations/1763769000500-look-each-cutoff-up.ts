import type { MigrationInterface, QueryRunner } from 'typeorm';
import { changeFunction } from '../change-function.js';

/**
 * Planned while there were few cut-offs, a join may read a whole index where it could look into it, which costs as much at first
 * and more with every cut-off. What is asked for row by row can only be looked up.
 */
const changed: Record<string, [before: string, after: string][]> = {
  ended_by: [
    [
      'JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id\n',
      'CROSS JOIN LATERAL (SELECT * FROM cutoffs WHERE repository_id = asked.repository_id AND id = asked.id LIMIT 1) c\n',
    ],
  ],
  report_refusals: [
    [
      'JOIN cutoffs c ON c.repository_id = asked.repository_id AND c.id = asked.id AND c.withdrawn_at IS NULL)',
      `CROSS JOIN LATERAL (SELECT * FROM cutoffs WHERE repository_id = asked.repository_id AND id = asked.id LIMIT 1) c
      WHERE c.withdrawn_at IS NULL)`,
    ],
    [
      `FROM reported
      WHERE reported.abandoned AND c.repository_id = reported.repository_id AND c.id = reported.id)`,
      `WHERE c.repository_id = ANY (ARRAY(SELECT repository_id FROM reported WHERE abandoned))
        AND c.id = ANY (ARRAY(SELECT id FROM reported WHERE abandoned)))`,
    ],
  ],
  beat_node: [
    [
      'NOT EXISTS (SELECT FROM cutoff_reports r WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id AND r.node_id = node.id)',
      `(SELECT r.refused_at FROM cutoff_reports r
        WHERE r.repository_id = c.repository_id AND r.cutoff_id = c.id AND r.node_id = node.id) IS NULL`,
    ],
  ],
};

export class LookEachCutoffUp1763769000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const [name, changes] of Object.entries(changed))
      for (const [before, after] of changes) await changeFunction(runner, name, before, after);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [name, changes] of Object.entries(changed))
      for (const [before, after] of changes) await changeFunction(runner, name, after, before);
  }
}
