export { announce } from './announce.js';
export { catalogue, parseJobData, type EnqueuedJobName, type JobData, type JobName } from './catalogue.js';
export {
  factorDeeds,
  mailTemplates,
  sendMail,
  type FactorDeed,
  type MailData,
  type MailTemplate,
  type PersonMailTemplate,
} from './mail.js';
export { enqueue, enqueueAll } from './outbox.js';
