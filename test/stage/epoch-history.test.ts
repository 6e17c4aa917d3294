import { describe, expect, it } from 'vitest';
import { type PastEpoch, untold } from '../../src/stage/epoch-history.ts';

const epochs = (rows: PastEpoch[]) => rows.map(({ epoch }) => epoch);

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
