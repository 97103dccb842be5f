import { CredentialCheck, type Answer, type Question } from '@latchkey/credentials';

/*
 * Loaded before an app's program (`node --import`), by the benchmark alone: asks each question once and believes the answer
 * for ever. It is what gathered checks are measured against, and must never serve anyone.
 */
const ask = CredentialCheck.prototype.ask;
const answers = new Map<string, Promise<Answer | undefined>>();

CredentialCheck.prototype.ask = function (this: CredentialCheck, question: Question): Promise<Answer | undefined> {
  const { repositoryId, clientId, userId, versionId, tokenId, keyHash, withSecrets } = question;
  const key = `${repositoryId} ${clientId} ${userId} ${versionId} ${tokenId} ${keyHash?.toString('base64')} ${withSecrets}`;
  const known = answers.get(key);
  if (known) return known;
  const asked = ask.call(this, question);
  answers.set(key, asked);
  return asked;
};
