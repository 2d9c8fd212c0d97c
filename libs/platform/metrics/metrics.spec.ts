import { Metrics } from './metrics.js';

describe('The figures of a process', () => {
  it('are told without the one that hangs and the one that cannot be read', async () => {
    const metrics = new Metrics();
    metrics.gauge('kcm_hangs', 'Never read.', () => new Promise<number>(() => {}));
    metrics.gauge('kcm_torn', 'Cannot be read.', () => {
      throw new Error('torn');
    });
    metrics.gauge('kcm_up', 'Is read.', () => 1);
    const both = await Promise.all([metrics.text(), metrics.text()]);
    for (const text of both) {
      expect(text).toContain('\nkcm_up 1\n');
      expect(text).not.toMatch(/^kcm_(hangs|torn) /m);
    }
    expect(await metrics.text()).toContain('\nkcm_up 1\n');
  });
});
