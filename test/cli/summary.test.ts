import { describe, expect, it } from 'vitest';
import { defaultName } from '../../src/cli/demo.ts';
import { duration, summaryRows, table } from '../../src/cli/summary.ts';
import { RunName } from '../../src/contracts/spec/run-name.ts';
import { audit, withRecords } from '../report/audit-fixture.ts';

const rows = (of: typeof audit) =>
  Object.fromEntries(summaryRows(of, { calls: 4420, prompt_tokens: 261_338, completion_tokens: 186_004 }, 392));

describe('the summary of a run', () => {
  it('shows the grader in each mode against judge and truth, with interval and n', () => {
    expect(rows(audit)).toMatchObject({
      Gain: '+26.5 points (+19.1 to +33.9 points), n 200',
      'Grader and judge agree (QWK), single token': '0.862 (0.831 to 0.893), n 660',
      'Grader and judge agree (QWK), reasoned': '0.831 (0.797 to 0.865), n 660',
      'Judge against truth': '90.5% (88.1% to 92.9%), n 660',
      'Grader against truth, reasoned': '95.5% (93.6% to 97.4%), n 660',
      'Grader minus judge, reasoned': '+5.0 points (+1.1 to +8.9 points), n 660',
      'Right where the judge is wrong, reasoned': '55.7% (43.6% to 67.8%), n 61',
      'Verdicts/s, grader over judge': '5.5× (same mode 1.3×)',
    });
  });

  it('says that the base gave no score, and what was not measured, instead of showing a number', () => {
    expect(rows(audit)['Untrained base and judge (QWK)']).toBe('the base gave no score');
    const without = rows(withRecords((one) => (one.id.startsWith('policy.') ? null : one)));
    expect(without['Policy after']).toBe('not measured');
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
