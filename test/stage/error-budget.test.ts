import { expect, it } from 'vitest';
import type { Outcome } from '../../src/contracts/stage.ts';
import type { PastEpoch } from '../../src/stage/epoch-history.ts';
import { errorsWithoutProgress } from '../../src/stage/error-budget.ts';

const past = (...endings: (Outcome['status'] | null | 'committed')[]): PastEpoch[] =>
  endings.map((status, index) => ({
    epoch: index + 1,
    committed: status === 'committed',
    outcome: status === null || status === 'committed' ? null : { status, message: 'm', field: null, cause: null },
  }));

const rowOf = (rows: PastEpoch[]) => errorsWithoutProgress(rows).attempts.map(({ epoch }) => epoch);

it('counts attempts that ended by error since the last commit', () => {
  expect(rowOf(past('failed', 'committed', 'failed', 'failed'))).toEqual([3, 4]);
  expect(errorsWithoutProgress(past('failed', 'committed', 'failed', 'failed')).errors).toBe(2);
});

it('lets preemptions and killed workers neither count nor break the row', () => {
  expect(rowOf(past('failed', 'preempted', 'failed', null, 'failed'))).toEqual([1, 3, 5]);
  expect(rowOf(past('preempted', null, 'preempted', null))).toEqual([]);
});

it('starts anew after a refusal, so that a person who fixed the cause can resume', () => {
  expect(rowOf(past('failed', 'failed', 'failed', 'bad_request'))).toEqual([]);
  expect(rowOf(past('failed', 'bad_request', 'failed'))).toEqual([3]);
});

it('takes a full disk for an error only when it stays full', () => {
  const full = (epoch: number): PastEpoch => {
    const outcome = { status: 'failed', message: 'disk full: free space', field: null, cause: 'disk_full' } as const;
    return { epoch, committed: false, outcome };
  };
  const attempts = (count: number) => Array.from({ length: count }, (_, index) => full(index + 1));
  expect(errorsWithoutProgress(attempts(19)).errors).toBe(0);
  expect(errorsWithoutProgress(attempts(60)).errors).toBe(3);
});
