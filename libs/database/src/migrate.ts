import pg from 'pg';
import { DataSource } from 'typeorm';
import { CreateFirstTables1763690000000 } from './migrations/1763690000000-create-first-tables.js';
import { CreateCheck1763690000001 } from './migrations/1763690000001-create-check.js';
import { AddApiKeysAndUses1763700000000 } from './migrations/1763700000000-add-api-keys-and-uses.js';
import { AllowSeveralWebhooks1763700001000 } from './migrations/1763700001000-allow-several-webhooks.js';
import { AddMemberCredentialsAndReminders1763700002000 } from './migrations/1763700002000-add-member-credentials-and-reminders.js';
import { AddProof1763700003000 } from './migrations/1763700003000-add-proof.js';
import { KeepPlanOfCheck1763710000000 } from './migrations/1763710000000-keep-plan-of-check.js';
import { LetRotationsBeEnded1763710001000 } from './migrations/1763710001000-let-rotations-be-ended.js';
import { SealSecretsForWebhooks1763710001500 } from './migrations/1763710001500-seal-secrets-for-webhooks.js';
import { AddKeyLifeAndClientKeys1763711000000 } from './migrations/1763711000000-add-key-life-and-client-keys.js';
import { FindRecordsAtOnce1763711000500 } from './migrations/1763711000500-find-records-at-once.js';
import { FindAndWriteRecordsTogether1763755000000 } from './migrations/1763755000000-find-and-write-records-together.js';
import { AddPeople1763712000000 } from './migrations/1763712000000-add-people.js';
import { AddSecondFactors1763713000000 } from './migrations/1763713000000-add-second-factors.js';
import { AddLogos1763714000000 } from './migrations/1763714000000-add-logos.js';
import { AddIdentityProviders1763714000250 } from './migrations/1763714000250-add-identity-providers.js';
import { AddCustomDomains1763714000500 } from './migrations/1763714000500-add-custom-domains.js';
import { TellOfRefusedClients1763714001500 } from './migrations/1763714001500-tell-of-refused-clients.js';
import { LetReadsRunInParallel1763720001000 } from './migrations/1763720001000-let-reads-run-in-parallel.js';
import { AddBinaries1763720000500 } from './migrations/1763720000500-add-binaries.js';
import { AddTypesReferencesAndTrash1763720000000 } from './migrations/1763720000000-add-types-references-and-trash.js';
import { LetUsersBeDeleted1763721000000 } from './migrations/1763721000000-let-users-be-deleted.js';
import { LimitPlansAndCountCalls1763721000500 } from './migrations/1763721000500-limit-plans-and-count-calls.js';
import { AddDailyUses1763730000000 } from './migrations/1763730000000-add-daily-uses.js';
import { LetAllThatIsSealedBeSealedAnew1763740000000 } from './migrations/1763740000000-let-all-that-is-sealed-be-sealed-anew.js';
import { FindWhatIsDue1763753000000 } from './migrations/1763753000000-find-what-is-due.js';
import { ProveTheEndOfGrants1763750000000 } from './migrations/1763750000000-prove-the-end-of-grants.js';
import { KeepNamesAndAddressesApart1763750000500 } from './migrations/1763750000500-keep-names-and-addresses-apart.js';
import { LetPeopleSignUp1763752000000 } from './migrations/1763752000000-let-people-sign-up.js';
import { LetFilesBeInAnObjectStore1763751000000 } from './migrations/1763751000000-let-files-be-in-an-object-store.js';
import { HashIdsOfRecords1763754000000 } from './migrations/1763754000000-hash-ids-of-records.js';
import { CheckEachKindByItself1763761000000 } from './migrations/1763761000000-check-each-kind-by-itself.js';
import { CountRepositoriesByTurns1763760000000 } from './migrations/1763760000000-count-repositories-by-turns.js';
import { FindUnusedBlobs1763760000250 } from './migrations/1763760000250-find-unused-blobs.js';
import { AnswerChecksInColumns1763759000000 } from './migrations/1763759000000-answer-checks-in-columns.js';
import { LetTenantsBeDeleted1763752000500 } from './migrations/1763752000500-let-tenants-be-deleted.js';
import { ForgetPeopleWhoWereDeleted1763758000250 } from './migrations/1763758000250-forget-people-who-were-deleted.js';
import { PruneHistory1763758000500 } from './migrations/1763758000500-prune-history.js';
import { PurgeWhatWasDeleted1763758000000 } from './migrations/1763758000000-purge-what-was-deleted.js';
import { LetWhatHasEndedStayEnded1763762000000 } from './migrations/1763762000000-let-what-has-ended-stay-ended.js';
import { CheckEveryLiveSecret1763762000250 } from './migrations/1763762000250-check-every-live-secret.js';
import { MakeNothingInADeletedTenant1763762000500 } from './migrations/1763762000500-make-nothing-in-a-deleted-tenant.js';
import { FindWhatLivesAmongWhatEnded1763764000000 } from './migrations/1763764000000-find-what-lives-among-what-ended.js';
import { FindLiveRepositories1763764000500 } from './migrations/1763764000500-find-live-repositories.js';
import { FindNodesOfATime1763764000750 } from './migrations/1763764000750-find-nodes-of-a-time.js';
import { KnowWhoInvited1763765000000 } from './migrations/1763765000000-know-who-invited.js';
import { CountBegunUploads1763765000250 } from './migrations/1763765000250-count-begun-uploads.js';
import { FindSignOutsToTellOf1763766000000 } from './migrations/1763766000000-find-sign-outs-to-tell-of.js';
import { FindLackingPeppers1763768000000 } from './migrations/1763768000000-find-lacking-peppers.js';
import { KnowWithWhatWasInvited1763768000250 } from './migrations/1763768000250-know-with-what-was-invited.js';
import { LimitClients1763768000500 } from './migrations/1763768000500-limit-clients.js';
import { EndInvitationsOfLostRights1763768000750 } from './migrations/1763768000750-end-invitations-of-lost-rights.js';
import { FindCutoffsByIndex1763769000250 } from './migrations/1763769000250-find-cutoffs-by-index.js';
import { LookEachCutoffUp1763769000500 } from './migrations/1763769000500-look-each-cutoff-up.js';
import { LookEachUserUp1763769000750 } from './migrations/1763769000750-look-each-user-up.js';

/** Oldest first by their timestamps, whatever their place here. */
export const migrations = [
  CreateFirstTables1763690000000,
  CreateCheck1763690000001,
  AddApiKeysAndUses1763700000000,
  AllowSeveralWebhooks1763700001000,
  AddMemberCredentialsAndReminders1763700002000,
  AddProof1763700003000,
  KeepPlanOfCheck1763710000000,
  LetRotationsBeEnded1763710001000,
  SealSecretsForWebhooks1763710001500,
  AddKeyLifeAndClientKeys1763711000000,
  FindRecordsAtOnce1763711000500,
  FindAndWriteRecordsTogether1763755000000,
  AddPeople1763712000000,
  AddSecondFactors1763713000000,
  AddLogos1763714000000,
  AddIdentityProviders1763714000250,
  AddCustomDomains1763714000500,
  TellOfRefusedClients1763714001500,
  AddTypesReferencesAndTrash1763720000000,
  AddBinaries1763720000500,
  LetReadsRunInParallel1763720001000,
  LetUsersBeDeleted1763721000000,
  LimitPlansAndCountCalls1763721000500,
  AddDailyUses1763730000000,
  LetAllThatIsSealedBeSealedAnew1763740000000,
  FindWhatIsDue1763753000000,
  ProveTheEndOfGrants1763750000000,
  KeepNamesAndAddressesApart1763750000500,
  LetPeopleSignUp1763752000000,
  LetFilesBeInAnObjectStore1763751000000,
  LetTenantsBeDeleted1763752000500,
  HashIdsOfRecords1763754000000,
  AnswerChecksInColumns1763759000000,
  PurgeWhatWasDeleted1763758000000,
  ForgetPeopleWhoWereDeleted1763758000250,
  PruneHistory1763758000500,
  CountRepositoriesByTurns1763760000000,
  FindUnusedBlobs1763760000250,
  CheckEachKindByItself1763761000000,
  LetWhatHasEndedStayEnded1763762000000,
  CheckEveryLiveSecret1763762000250,
  MakeNothingInADeletedTenant1763762000500,
  FindWhatLivesAmongWhatEnded1763764000000,
  FindLiveRepositories1763764000500,
  FindNodesOfATime1763764000750,
  KnowWhoInvited1763765000000,
  CountBegunUploads1763765000250,
  FindSignOutsToTellOf1763766000000,
  FindLackingPeppers1763768000000,
  KnowWithWhatWasInvited1763768000250,
  LimitClients1763768000500,
  EndInvitationsOfLostRights1763768000750,
  FindCutoffsByIndex1763769000250,
  LookEachCutoffUp1763769000500,
  LookEachUserUp1763769000750,
];

/** One number for every migrator, so that two that start together take turns. */
const migrationLock = 7_160_522_701;

/**
 * Brings a database to the present schema: makes our roles and schema if they are missing and runs the migrations that
 * have not run. Safe to repeat, and to start twice at once.
 *
 * @param ownerUrl a login that may create roles and owns (or may create) the schema.
 * @param loginUrl the login that the apps will use. It is made, or given its password anew, and may act as our roles.
 * @throws Error before anything is made when the server is older than PostgreSQL 16.
 */
export async function migrate(ownerUrl: string, loginUrl?: string): Promise<void> {
  const owner = new pg.Client({ connectionString: ownerUrl, application_name: 'latchkey-migrate' });
  await owner.connect();
  try {
    await refuseOldServer(owner);
    await owner.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    await makeRoles(owner);
    if (loginUrl && loginUrl !== ownerUrl) await makeLogin(owner, new URL(loginUrl));
    else await owner.query('GRANT latchkey_app, latchkey_system, latchkey_check TO CURRENT_USER WITH SET TRUE, INHERIT FALSE');
    await runMigrations(ownerUrl);
  } finally {
    await owner.end();
  }
}

/** Before 16 no membership can say SET and INHERIT, which is only noticed when half of the schema is there. */
async function refuseOldServer(owner: pg.Client): Promise<void> {
  const { rows } = await owner.query<{ number: number; version: string }>(
    `SELECT current_setting('server_version_num')::integer AS number, current_setting('server_version') AS version`,
  );
  const [{ number, version }] = rows as [(typeof rows)[0]];
  if (number < 160_000) throw new Error(`PostgreSQL 16 or later is needed, and this server is ${version}`);
}

async function makeRoles(owner: pg.Client): Promise<void> {
  for (const role of ['latchkey_app', 'latchkey_system', 'latchkey_check']) await makeRole(owner, role);
  await owner.query(`
    CREATE SCHEMA IF NOT EXISTS latchkey;
    GRANT USAGE ON SCHEMA latchkey TO latchkey_app, latchkey_system, latchkey_check;`);
}

/** Roles belong to the whole server, so another database's migrator may make one at the same moment. */
async function makeRole(owner: pg.Client, role: string, attributes = 'NOLOGIN'): Promise<void> {
  await owner.query(`
    DO $$ BEGIN CREATE ROLE ${role} ${attributes};
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`);
}

/** The login inherits nothing: a connection has rights only once it acts as one of our roles. */
async function makeLogin(owner: pg.Client, login: URL): Promise<void> {
  const name = pg.escapeIdentifier(decodeURIComponent(login.username));
  const password = pg.escapeLiteral(decodeURIComponent(login.password));
  await makeRole(owner, name);
  await owner.query(`ALTER ROLE ${name} LOGIN NOINHERIT PASSWORD ${password}`);
  await owner.query(`GRANT latchkey_app, latchkey_system, latchkey_check TO ${name}`);
}

async function runMigrations(ownerUrl: string): Promise<void> {
  const source = new DataSource({
    type: 'postgres',
    url: ownerUrl,
    schema: 'latchkey',
    migrations,
    migrationsTableName: 'migrations',
    extra: { options: '-c search_path=latchkey', application_name: 'latchkey-migrate' },
  });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await source.destroy();
  }
}
