import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What has ended stays for 400 days, so a tool whose secret is regenerated every hour comes to have ten thousand of them, and a
 * pipeline that makes a client for each run as many clients. What lives is found now without reading what has ended:
 *
 * - the live secrets of a client, at a check and at a regeneration, and the latest others, which say when one was replaced;
 * - the clients of a repository, and the two that it was made with;
 * - the cut-offs that a node still has to report. `clock_timestamp()` may be another at every row, so no index could be asked for
 *   it, and every beat of every node read all cut-offs;
 * - those of the canary that go;
 * - the client of a use that is recorded, by its name alone.
 */
export class FindWhatLivesAmongWhatEnded1763764000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX secret_versions_live ON secret_versions (repository_id, client_id, (coalesce(least(expires_at, overlap_ends_at), 'infinity')))
        WHERE ended_at IS NULL;
      CREATE INDEX clients_live ON clients (repository_id) WHERE deleted_at IS NULL;
      CREATE INDEX clients_default ON clients (repository_id) WHERE is_default;
      CREATE INDEX cutoffs_canary ON cutoffs (repository_id, recorded_at) WHERE client_id = 'tool_canary';`);
    for (const [name, changes] of Object.entries(changed))
      for (const [before, after] of changes) await replace(runner, name, before, after);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const [name, changes] of Object.entries(changed))
      for (const [before, after] of changes) await replace(runner, name, after, before);
    await runner.query('DROP INDEX cutoffs_canary, clients_default, clients_live, secret_versions_live;');
  }
}

const ofClient = 'SELECT * FROM secret_versions v WHERE v.repository_id = asked.repository_id AND v.client_id = c.id';

/** What is said otherwise in functions that earlier migrations made: before, and now. */
const changed: Record<string, [before: string, after: string][]> = {
  check_client_secrets: [
    [
      `${ofClient}
            ORDER BY version_is_alive(v.ended_at, v.expires_at, v.overlap_ends_at) DESC, v.created_at DESC LIMIT 20`,
      `${ofClient} AND v.ended_at IS NULL AND coalesce(least(v.expires_at, v.overlap_ends_at), 'infinity') > now()
            UNION ALL
            SELECT * FROM (${ofClient} ORDER BY v.id DESC LIMIT 20) latest
            WHERE NOT version_is_alive(latest.ended_at, latest.expires_at, latest.overlap_ends_at)`,
    ],
  ],
  beat_node: [
    [
      'WHERE coalesce(c.effective_at, c.recorded_at)\n        BETWEEN greatest(',
      `WHERE coalesce(c.effective_at, c.recorded_at) > now() - interval '6 minutes'
      AND coalesce(c.effective_at, c.recorded_at)
        BETWEEN greatest(`,
    ],
  ],
  record_uses: [
    [
      'LEFT JOIN clients c ON c.repository_id = r.id AND c.id = used.credential_id',
      'LEFT JOIN LATERAL (SELECT * FROM clients WHERE repository_id = used.repository_id AND id = used.credential_id LIMIT 1) c ON true',
    ],
  ],
};

/** @throws when the function does not say what it is known to say. */
async function replace(runner: QueryRunner, name: string, before: string, after: string): Promise<void> {
  await runner.query(`
    DO $do$
    DECLARE
      one text := pg_get_functiondef('${name}'::regproc);
      other text := replace(one, $before$${before}$before$, $after$${after}$after$);
    BEGIN
      IF other = one THEN RAISE '${name} is another than expected'; END IF;
      EXECUTE other;
    END $do$`);
}
