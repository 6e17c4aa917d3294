import { describe, expect, it } from 'vitest';
import { defaultName } from '../../src/cli/demo.ts';
import { duration, measureText, table } from '../../src/cli/summary.ts';
import { RunName } from '../../src/contracts/spec/run-name.ts';

const percent = (value: number) => `${(100 * value).toFixed(1)}%`;

describe('the summary of a run', () => {
  it('shows a measure with its interval and n', () => {
    expect(measureText({ point: 0.82, low: 0.78, high: 0.86, n: 200 }, percent)).toBe('82.0% [78.0%, 86.0%], n 200');
  });

  it('says that a measure is not known instead of showing a number', () => {
    expect(measureText({ point: null, low: null, high: null, n: 0 }, percent)).toBe('not known');
    expect(measureText(null, percent)).toBe('not known');
  });

  it('leaves out an interval that could not be computed', () => {
    expect(measureText({ point: 0.5, low: null, high: null, n: 9 }, percent)).toBe('50.0%, n 9');
  });

  it('writes durations as people say them', () => {
    expect(duration(42)).toBe('42 s');
    expect(duration(392)).toBe('6 min 32 s');
    expect(duration(119.8)).toBe('2 min 0 s');
  });

  it('lines values up', () => {
    expect(
      table([
        ['a', '1'],
        ['long', '2'],
      ]),
    ).toBe('  a     1\n  long  2');
  });

  it('names a demo by its time, as a valid run name', () => {
    const name = defaultName(new Date(2025, 0, 31, 23, 59, 8));
    expect(name).toBe('demo-20250131-235908');
    expect(RunName.safeParse(name).success).toBe(true);
  });
});
