import { CredentialCheck, type Answer, type Question } from '@latchkey/credentials';
import { connectForChecks } from '@latchkey/database';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: every check sends a statement of its own, on
 * eight connections, as one would write it without gathering.
 */
const pool = connectForChecks({ url: process.env['DATABASE_URL'] ?? '', poolSize: 8 });
const ask = CredentialCheck.prototype.ask;

CredentialCheck.prototype.ask = function (question: Question): Promise<Answer | undefined> {
  return ask.call(new CredentialCheck(pool), question);
};
