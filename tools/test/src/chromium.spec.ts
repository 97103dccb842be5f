import { browserSpecs } from './chromium.ts';

describe('a machine without a browser', () => {
  it('leaves out the specs that open one, and no others', () => {
    const specs = browserSpecs();
    expect(specs).toEqual(expect.arrayContaining(['main-job.spec', 'portal.spec', 'strangers.spec']));
    expect(specs).not.toContain('webhooks.spec');
    expect(specs).not.toContain('resilience.spec');
  });
});
