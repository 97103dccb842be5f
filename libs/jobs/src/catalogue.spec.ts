import { catalogue, parseJobData } from './catalogue.js';

const ids = {
  tenantId: '0198c2f0-0000-7000-8000-000000000001',
  webhookId: '0198c2f0-0000-7000-8000-000000000002',
  deliveryId: '0198c2f0-0000-7000-8000-000000000003',
  round: 0,
};

describe('the job catalogue', () => {
  it('takes data that is what the job takes', () => {
    expect(parseJobData('webhook.deliver', ids)).toEqual(ids);
  });

  it.each([
    ['a missing member', { tenantId: ids.tenantId }],
    ['a member that is no id', { ...ids, deliveryId: 'hunter2' }],
    ['a member that the job does not take', { ...ids, secret: 'hunter2' }],
    ['nothing', undefined],
  ])('refuses %s', (_, data) => {
    expect(() => parseJobData('webhook.deliver', data)).toThrow();
  });

  it('goes on trying a webhook for about a day', () => {
    const { attempts, firstRetrySeconds } = catalogue['webhook.deliver'];
    const hours = (firstRetrySeconds * (2 ** (attempts - 1) - 1)) / 3600;
    expect(hours).toBeGreaterThan(20);
    expect(hours).toBeLessThan(28);
  });
});
