import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A request of the authority reads what it needs in one round trip, and writes what it came to in another: records that go
 * together are found together with the person whose they are, and are written together or not at all. As the functions that
 * these replace, they have the rights of whoever calls them, narrow their own transaction to one repository first, and look
 * everything up by an index with plans that are kept.
 */
export class FindAndWriteRecordsTogether1763755000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION find_oidc_record, consume_oidc_record;${find}${write}`);
    await runner.query(`
      REVOKE ALL ON FUNCTION find_oidc_records, write_oidc_records FROM PUBLIC;
      GRANT EXECUTE ON FUNCTION find_oidc_records, write_oidc_records TO latchkey_app;`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP FUNCTION find_oidc_records, write_oidc_records;${before}`);
  }
}

const settings = 'SET search_path = latchkey, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off';

const enter = `PERFORM set_config('app.tenant_id', '', true), set_config('app.repository_id', repository::text, true);`;

/** What ended with its time is not found; what belongs to somebody ends with them. */
const lookUp = `
      CASE by
        WHEN 'id' THEN
          SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value;
        WHEN 'uid' THEN
          SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.uid = value LIMIT 1;
        WHEN 'userCode' THEN
          SELECT * INTO found FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.user_code = value LIMIT 1;
      END CASE;`;

const find = `
    -- A record, with what a request that has it asks for next: the person whose it is, the grant that it belongs to, and the
    -- session with which it ends; with a session, the grant that this client got in it.
    CREATE FUNCTION find_oidc_records(repository uuid, wanted text, by text, value text, client text,
      OUT itself jsonb, OUT person jsonb, OUT its_grant jsonb, OUT its_session jsonb) RETURNS SETOF record
    LANGUAGE plpgsql ${settings} AS $$
    DECLARE
      found oidc_records;
      beside oidc_records;
      owner repository_users;
      grant_wanted text;
      session_wanted text;
    BEGIN
      ${enter}
      ${lookUp}
      IF found.id IS NULL OR found.expires_at <= now() THEN RETURN; END IF;
      IF found.user_id IS NOT NULL THEN
        SELECT * INTO owner FROM repository_users u WHERE u.repository_id = repository AND u.id = found.user_id AND u.enabled;
        IF owner.id IS NULL OR found.user_generation <> owner.generation THEN RETURN; END IF;
        IF owner.deleted_at IS NULL AND owner.trashed_at IS NULL THEN
          person := jsonb_build_object('id', owner.id, 'loginName', owner.login_name, 'name', owner.name, 'email', owner.email,
            'emailVerified', owner.email_verified_at IS NOT NULL, 'generation', owner.generation);
        END IF;
      END IF;
      itself := to_jsonb(found);

      grant_wanted := CASE wanted WHEN 'Session' THEN found.payload->'authorizations'->client->>'grantId' ELSE found.grant_id END;
      IF grant_wanted IS NOT NULL THEN
        SELECT * INTO beside FROM oidc_records o WHERE o.repository_id = repository AND o.kind = 'Grant' AND o.id = grant_wanted;
        -- Of another person, or of an earlier generation, it is not found; whoever wants it all the same asks for it by itself.
        IF beside.id IS NOT NULL AND (beside.expires_at IS NULL OR beside.expires_at > now())
          AND beside.user_id = owner.id AND beside.user_generation = owner.generation THEN its_grant := to_jsonb(beside); END IF;
      END IF;

      session_wanted := CASE WHEN found.payload->'expiresWithSession' = 'true' THEN found.payload->>'sessionUid' END;
      IF session_wanted IS NOT NULL THEN
        SELECT * INTO beside FROM oidc_records o
          WHERE o.repository_id = repository AND o.kind = 'Session' AND o.uid = session_wanted LIMIT 1;
        IF beside.id IS NOT NULL AND (beside.expires_at IS NULL OR beside.expires_at > now())
          AND beside.user_id = owner.id AND beside.user_generation = owner.generation THEN its_session := to_jsonb(beside); END IF;
      END IF;
      RETURN NEXT;
    END $$;
`;

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

const write = `
    -- Writes what a request came to: marks a code or refresh token as used, and writes records (objects with the names of the
    -- columns). All or nothing; returns what stands in the way, or null:
    -- 'disabled': the identity provider with whom the person signed in is no longer enabled. It is held until the end of the
    -- transaction, so that whoever disables it finds the records, and ends them with the others.
    -- 'used': another request has used the code or token since it was read. It is being replayed, and everything that came of
    -- its grant ends.
    CREATE FUNCTION write_oidc_records(repository uuid, provider text, used_kind text, used_id text, records jsonb) RETURNS text
    LANGUAGE plpgsql ${settings} AS $$
    DECLARE
      replayed text;
    BEGIN
      ${enter}
      IF provider IS NOT NULL THEN
        PERFORM FROM identity_providers p WHERE p.repository_id = repository AND p.id = provider AND p.enabled FOR SHARE;
        IF NOT FOUND THEN RETURN 'disabled'; END IF;
      END IF;
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

const before = `
    CREATE FUNCTION find_oidc_record(repository uuid, wanted text, by text, value text) RETURNS SETOF oidc_records
    LANGUAGE plpgsql ${settings} AS $$
    DECLARE
      found oidc_records;
    BEGIN
      ${enter}
      ${lookUp}
      IF found.id IS NULL OR found.expires_at <= now() THEN RETURN; END IF;
      IF found.user_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM repository_users u
        WHERE u.repository_id = repository AND u.id = found.user_id AND u.enabled
          AND (found.user_generation IS NULL OR u.generation = found.user_generation)) THEN RETURN; END IF;
      RETURN NEXT found;
    END $$;

    CREATE FUNCTION consume_oidc_record(repository uuid, wanted text, value text) RETURNS boolean
    LANGUAGE plpgsql ${settings} AS $$
    DECLARE
      replayed text;
    BEGIN
      ${enter}
      UPDATE oidc_records o SET consumed_at = now()
        WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value AND o.consumed_at IS NULL;
      IF FOUND THEN RETURN true; END IF;
      SELECT o.grant_id INTO replayed FROM oidc_records o WHERE o.repository_id = repository AND o.kind = wanted AND o.id = value;
      IF replayed IS NOT NULL THEN
        DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.grant_id = replayed;
        DELETE FROM oidc_records o WHERE o.repository_id = repository AND o.kind = 'Grant' AND o.id = replayed;
      END IF;
      RETURN false;
    END $$;
    REVOKE ALL ON FUNCTION find_oidc_record, consume_oidc_record FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION find_oidc_record, consume_oidc_record TO latchkey_app;
`;
