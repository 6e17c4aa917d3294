import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/contracts/stage.ts';
import { errorsWithoutProgress, type PastEpoch } from '../../src/stage/epoch-history.ts';

const past = (...endings: (Outcome['status'] | null | 'committed')[]): PastEpoch[] =>
  endings.map((status, index) => ({
    epoch: index + 1,
    committed: status === 'committed',
    outcome: status === null || status === 'committed' ? null : { status, message: 'm', field: null },
  }));

const epochs = (rows: PastEpoch[]) => rows.map(({ epoch }) => epoch);

describe('errorsWithoutProgress', () => {
  it('counts attempts that ended by error since the last commit', () => {
    expect(epochs(errorsWithoutProgress(past('failed', 'committed', 'failed', 'failed')))).toEqual([3, 4]);
  });

  it('lets preemptions and killed workers neither count nor break the row', () => {
    expect(epochs(errorsWithoutProgress(past('failed', 'preempted', 'failed', null, 'failed')))).toEqual([1, 3, 5]);
    expect(errorsWithoutProgress(past('preempted', null, 'preempted', null))).toEqual([]);
  });

  it('starts anew after a refusal, so that a person who mended the cause can resume', () => {
    expect(epochs(errorsWithoutProgress(past('failed', 'failed', 'failed', 'bad_request')))).toEqual([]);
    expect(epochs(errorsWithoutProgress(past('failed', 'bad_request', 'failed')))).toEqual([3]);
  });
});
