import { describe, expect, it } from 'vitest';
import { progressText } from '../../src/cli/progress-lines.ts';

describe('a progress line of a child', () => {
  it('becomes words', () => {
    const line = '{"event":"progress","phase":"grade","step":18,"total":72,"metrics":{}}';
    expect(progressText(line)).toBe('grade 18/72');
    expect(progressText('{"event":"waiting","for":"judge","seconds":3.2}')).toBe('waiting for the judge (3 s)');
  });

  it('is left out where it is none', () => {
    expect(progressText('Loading weights')).toBeNull();
    expect(progressText('{"event":"commit","checkpoint":"step-000001.e1","step":1}')).toBeNull();
  });
});
