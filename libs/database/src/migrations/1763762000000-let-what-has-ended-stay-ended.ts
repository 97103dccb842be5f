import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A request that has found a session or a grant, and stores it changed, brought it back to life when it had been ended since:
 * whoever went on using a stolen session from ever other browsers could outlast its end. What was found is now changed only
 * where it still is.
 *
 * The function is otherwise that of the migration that made it.
 */
export class LetWhatHasEndedStayEnded1763762000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(write(refuseEnded));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(write(''));
  }
}

const columns = [
  'kind',
  'id',
  'payload',
  'grant_id',
  'uid',
  'user_code',
  'user_id',
  'user_generation',
  'identity_provider_id',
  'user_agent',
  'address',
  'used_at',
  'expires_at',
];

/** They are held until the end of the transaction, so that whoever ends them ends what is written. */
const refuseEnded = `
      FOR changed IN
        SELECT r.kind, r.id FROM jsonb_to_recordset(records) AS r (kind text, id text, was_found boolean) WHERE r.was_found ORDER BY r.kind, r.id
      LOOP
        PERFORM FROM oidc_records o WHERE o.repository_id = repository AND o.kind = changed.kind AND o.id = changed.id FOR UPDATE;
        IF NOT FOUND THEN RETURN 'ended'; END IF;
      END LOOP;`;

const write = (refuse: string) => `
    -- Writes what a request came to: marks a code or refresh token as used, and writes records (objects with the names of the
    -- columns, and was_found for those that the request has found). All or nothing; returns what stands in the way, or null:
    -- 'disabled': the identity provider with whom the person signed in is no longer enabled. It is held until the end of the
    -- transaction, so that whoever disables it finds the records, and ends them with the others.
    -- 'ended': a record that the request had found is not there any more.
    -- 'used': another request has used the code or token since it was read. It is being replayed, and everything that came of
    -- its grant ends.
    CREATE OR REPLACE FUNCTION write_oidc_records(repository uuid, provider text, used_kind text, used_id text, records jsonb) RETURNS text
    LANGUAGE plpgsql SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
    DECLARE
      replayed text;
      changed record;
    BEGIN
      PERFORM set_config('app.tenant_id', '', true), set_config('app.repository_id', repository::text, true);
      IF provider IS NOT NULL THEN
        PERFORM FROM identity_providers p WHERE p.repository_id = repository AND p.id = provider AND p.enabled FOR SHARE;
        IF NOT FOUND THEN RETURN 'disabled'; END IF;
      END IF;${refuse}
      IF used_id IS NOT NULL THEN
        UPDATE oidc_records o SET consumed_at = now()
          WHERE o.repository_id = repository AND o.kind = used_kind AND o.id = used_id AND o.consumed_at IS NULL;
        IF NOT FOUND THEN
          SELECT o.grant_id INTO replayed FROM oidc_records o WHERE o.repository_id = repository AND o.kind = used_kind AND o.id = used_id;
          IF replayed IS NOT NULL THEN
            DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.grant_id = replayed;
            DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.kind = 'Grant' AND o.id = replayed;
          END IF;
          RETURN 'used';
        END IF;
      END IF;
      IF records IS NOT NULL THEN
        INSERT INTO oidc_records (repository_id, ${columns.join(', ')})
        SELECT repository, ${columns.map((column) => `r.${column}`).join(', ')} FROM jsonb_populate_recordset(NULL::oidc_records, records) r
        ON CONFLICT (repository_id, kind, id) DO UPDATE SET
          ${columns
            .slice(2)
            .map((column) => `${column} = excluded.${column}`)
            .join(', ')};
      END IF;
      RETURN NULL;
    END $$;
`;
