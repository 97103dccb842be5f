import { webhookEventNames } from '@latchkey/contracts';
import { eventNames } from './event-names.ts';

it('names every event that a webhook can get', () => {
  expect(eventNames.toSorted()).toEqual(webhookEventNames.toSorted());
});
