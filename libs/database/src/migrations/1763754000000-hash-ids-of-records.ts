import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Whoever reads the database, or a copy of it, finds no code, refresh token or session cookie there that works: of records whose
 * id is the secret itself there is the hash.
 */
export class HashIdsOfRecords1763754000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      UPDATE oidc_records SET
        id = translate(rtrim(encode(sha256(convert_to(id, 'UTF8')), 'base64'), '='), '+/', '-_'),
        payload = (payload - 'jti') #- '{session,cookie}'
      WHERE ${hashed}`);
  }

  /** A hash leads back to nothing: people sign in again. */
  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM oidc_records WHERE ${hashed}`);
  }
}

const hashed = `kind IN ('Session', 'Interaction', 'AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest')`;
