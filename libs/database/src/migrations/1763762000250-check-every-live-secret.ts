import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A check got the 20 latest secrets of a client, so one that lives was refused once 20 others had come after it, however
 * short they lived. Those that are alive now come first: a client has ten of them at most, and one more in a rotation.
 *
 * The function is otherwise that of the migration that made it.
 */
export class CheckEveryLiveSecret1763762000250 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(replace(latest, liveFirst));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(replace(liveFirst, latest));
  }
}

const latest = 'ORDER BY v.created_at DESC LIMIT 20';
const liveFirst = 'ORDER BY version_is_alive(v.ended_at, v.expires_at, v.overlap_ends_at) DESC, v.created_at DESC LIMIT 20';

const replace = (one: string, other: string) => `
  DO $do$
  DECLARE
    before text := pg_get_functiondef('check_client_secrets'::regproc);
    after text := replace(before, '${one}', '${other}');
  BEGIN
    IF after = before THEN RAISE 'check_client_secrets is another than expected'; END IF;
    EXECUTE after;
  END $do$`;
