import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Nobody's login name is spelled like the address of another user of the repository: what is typed at sign-in means one
 * person. Of two that come at once, one waits for the other at a lock that is named after what both want.
 */
export class KeepNamesAndAddressesApart1763750000500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(apart);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER apart_when_made ON repository_users;
      DROP TRIGGER apart_when_changed ON repository_users;
      DROP FUNCTION keep_names_and_addresses_apart;`);
  }
}

const apart = `
  CREATE FUNCTION keep_names_and_addresses_apart() RETURNS trigger LANGUAGE plpgsql SET search_path = latchkey, pg_temp AS $$
  DECLARE
    wanted text;
  BEGIN
    -- In the same order in every transaction, so that two do not wait for each other in a circle.
    FOR wanted IN SELECT DISTINCT key FROM unnest(ARRAY[NEW.login_key, NEW.email_key]) AS keys (key) WHERE key LIKE '%@%' ORDER BY key LOOP
      PERFORM pg_advisory_xact_lock(hashtextextended(NEW.repository_id || wanted, 7160522703));
    END LOOP;
    IF EXISTS (SELECT FROM repository_users u WHERE u.repository_id = NEW.repository_id AND u.email_key = NEW.login_key AND u.id <> NEW.id) THEN
      RAISE unique_violation USING CONSTRAINT = 'repository_users_name_is_address', MESSAGE = 'the login name is the address of another user';
    END IF;
    IF EXISTS (SELECT FROM repository_users u WHERE u.repository_id = NEW.repository_id AND u.login_key = NEW.email_key AND u.id <> NEW.id) THEN
      RAISE unique_violation USING CONSTRAINT = 'repository_users_address_is_name', MESSAGE = 'the address is the login name of another user';
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER apart_when_made AFTER INSERT ON repository_users FOR EACH ROW
    WHEN (NEW.login_key LIKE '%@%' OR NEW.email_key IS NOT NULL) EXECUTE FUNCTION keep_names_and_addresses_apart();
  CREATE TRIGGER apart_when_changed AFTER UPDATE ON repository_users FOR EACH ROW
    WHEN (NEW.login_key <> OLD.login_key OR NEW.email_key IS DISTINCT FROM OLD.email_key) EXECUTE FUNCTION keep_names_and_addresses_apart();
`;
