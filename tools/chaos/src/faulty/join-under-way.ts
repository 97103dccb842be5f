import { CredentialCheck, type Answer, type Question } from '@latchkey/credentials';

/*
 * Loaded before an app's program (`node --import`), by this tool alone and never by the product: makes a check join a
 * statement that is already on its way, if one with the same question is. It looks like a harmless economy, and the fire
 * test must find that it lets what was ended live on.
 */
const ask = CredentialCheck.prototype.ask;
const underWay = new Map<string, Promise<Answer | undefined>>();

CredentialCheck.prototype.ask = function (this: CredentialCheck, question: Question): Promise<Answer | undefined> {
  const key = JSON.stringify(question);
  const joined = underWay.get(key);
  if (joined) return joined;
  const asked = ask.call(this, question).finally(() => underWay.delete(key));
  underWay.set(key, asked);
  return asked;
};
