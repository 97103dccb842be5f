import { accent, contrast, paper, readableAccent } from '@latchkey/contracts';

describe('an accent colour', () => {
  it('is shown as it is where it can be read', () => {
    expect(readableAccent('#2450c8').light).toBe('#2450c8');
    expect(readableAccent('#8fb0ff').dark).toBe('#8fb0ff');
  });

  it('of ours can be read as it is, on the paper and below what is written on it', () => {
    for (const [scheme, ink] of [
      ['light', '#ffffff'],
      ['dark', '#0c1530'],
    ] as const) {
      expect(readableAccent(accent[scheme])[scheme]).toBe(accent[scheme]);
      expect(contrast(accent[scheme], ink)).toBeGreaterThanOrEqual(4.5);
    }
  });

  it('is shown in a shade with a contrast of 4.5 to 1, in both schemes, whichever colour it is', () => {
    const steps = ['00', '33', '66', '99', 'cc', 'ff'];
    const colors = steps.flatMap((red) => steps.flatMap((green) => steps.map((blue) => `#${red}${green}${blue}`)));
    for (const color of colors) {
      const { light, dark } = readableAccent(color);
      expect([color, contrast(light, paper.light) >= 4.5, contrast(dark, paper.dark) >= 4.5]).toEqual([color, true, true]);
      // What is written on it: white in the light scheme, a dark ink in the dark one.
      expect([color, contrast(light, '#ffffff') >= 4.5, contrast(dark, '#0c1530') >= 4.5]).toEqual([color, true, true]);
    }
  });

  it('has the contrast that WCAG computes', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21, 5);
    expect(contrast('#777777', '#ffffff')).toBeCloseTo(4.48, 2);
  });
});
