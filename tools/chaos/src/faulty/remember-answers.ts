import { CredentialCheck, type Answer, type Question } from '@latchkey/credentials';

/*
 * Loaded before an app's program (`node --import`), by this tool alone and never by the product: remembers what the primary
 * said for 50 ms. The fire test must find that what was ended lives on for that long.
 */
const rememberedMillis = 50;
const ask = CredentialCheck.prototype.ask;
const answers = new Map<string, { until: number; answer: Answer | undefined }>();

CredentialCheck.prototype.ask = async function (this: CredentialCheck, question: Question): Promise<Answer | undefined> {
  const key = JSON.stringify(question);
  const known = answers.get(key);
  if (known && known.until > performance.now()) return known.answer;
  const answer = await ask.call(this, question);
  answers.set(key, { until: performance.now() + rememberedMillis, answer });
  return answer;
};
