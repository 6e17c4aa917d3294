import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../src/contracts/stage.ts';
import { errorsWithoutProgress, type PastEpoch, untold } from '../../src/stage/epoch-history.ts';

const past = (...endings: (Outcome['status'] | null | 'committed')[]): PastEpoch[] =>
  endings.map((status, index) => ({
    epoch: index + 1,
    committed: status === 'committed',
    requested: true,
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

describe('untold', () => {
  const epoch = (number: number, requested: boolean): PastEpoch => ({
    epoch: number,
    outcome: null,
    committed: false,
    requested,
  });

  it('is the last attempt, whose successor is this one', () => {
    expect(epochs(untold([epoch(1, true), epoch(2, true)]))).toEqual([2]);
    expect(untold([])).toEqual([]);
  });

  it('reaches back over attempts that ended before they could say what they followed', () => {
    expect(epochs(untold([epoch(1, true), epoch(2, true), epoch(3, false), epoch(4, false)]))).toEqual([2, 3, 4]);
    expect(epochs(untold([epoch(1, false), epoch(2, false)]))).toEqual([1, 2]);
  });
});
