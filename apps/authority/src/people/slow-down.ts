import type { Visit } from './visit.js';

/** Answers an attempt that comes too soon (RFC 6585 §4). The same for an account that does not exist. */
export function sayTooManyAttempts(visit: Visit, waitSeconds: number): void {
  const { title, text, forgot } = visit.texts.tooManyAttempts;
  visit.response.setHeader('retry-after', String(waitSeconds));
  visit.say(429, { title, text: text(Math.ceil(waitSeconds / 60)), link: { href: visit.path('/forgotten-password'), label: forgot } });
}

/** Answers a request for mail that comes too soon. */
export function sayTooManyRequests(visit: Visit, waitSeconds: number): void {
  const { title, text } = visit.texts.tooManyRequests;
  visit.response.setHeader('retry-after', String(waitSeconds));
  visit.say(429, { title, text: text(Math.ceil(waitSeconds / 60)) });
}
