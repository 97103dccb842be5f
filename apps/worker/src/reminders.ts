import type { Database } from '@latchkey/database';
import type { Handlers } from '@latchkey/jobs/worker';
import { Counter, Gauge, metrics, type Logger } from '@latchkey/runtime';
import { remind } from '@latchkey/tenancy';

const sentReminders = new Counter({
  name: 'latchkey_credential_reminders_total',
  help: 'Reminders of credentials that will expire or reach the recommended age',
  labelNames: ['because', 'days'],
  registers: [metrics],
});

/** What one worker counted is stale once another has had its turn twice. */
const staleMillis = 2 * 3_600_000;
let countedAt = 0;

const dueCredentials = new Gauge({
  name: 'latchkey_credentials_due',
  help: 'Credentials that work and will expire, or reach the recommended age, within so many days; take the maximum over the workers',
  labelNames: ['because', 'days'],
  registers: [metrics],
  collect() {
    if (Date.now() - countedAt > staleMillis) this.reset();
  },
});

export interface ReminderOptions {
  database: Database;
  log: Logger;
}

/** Sends the reminders that are due, and counts what is. */
export function remindOfCredentials({ database, log }: ReminderOptions): Handlers['credentials.remind'] {
  return async (_, { signal }) => {
    const { due, sent } = await remind(database, signal);
    for (const { because, days } of sent) sentReminders.inc({ because, days });
    for (const { because, withinDays, count } of due) dueCredentials.set({ because, days: withinDays }, count);
    countedAt = Date.now();
    if (sent.length > 0) log.info({ reminders: sent.length }, 'reminded of credentials that are due');
  };
}
