export { announce, announceEach } from './announce.js';
export type { JobData } from './catalogue.js';
export { mailTemplates, sendMail, type FactorDeed, type MailData, type MailTemplate, type PersonMailTemplate } from './mail.js';
export { enqueue, enqueueAll } from './outbox.js';
