import { expect, it } from 'vitest';
import type { Outcome } from '../../src/contracts/stage.ts';
import type { PastEpoch } from '../../src/stage/epoch-history.ts';
import { errorsWithoutProgress, silentInARow } from '../../src/stage/error-budget.ts';

const past = (...endings: (Outcome['status'] | null | 'committed')[]): PastEpoch[] =>
  endings.map((status, index) => ({
    epoch: index + 1,
    progressed: status === 'committed',
    started: true,
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

it('starts a new row after a refusal, so that a person who fixed the cause can resume', () => {
  expect(rowOf(past('failed', 'failed', 'failed', 'bad_request'))).toEqual([]);
  expect(rowOf(past('failed', 'bad_request', 'failed'))).toEqual([3]);
});

it.each(['done', 'judge_away'] as const)('starts anew after an attempt that was %s', (status) => {
  expect(rowOf(past('failed', 'failed', status, 'failed'))).toEqual([4]);
});

it('counts attempts that were killed with their worker, in a row and without a commit', () => {
  const silent = Array.from({ length: 9 }, () => null);
  const rowLength = (...rows: Parameters<typeof past>) => silentInARow(past(...rows)).length;
  expect(rowLength(...silent)).toBe(9);
  expect(rowLength(null, 'committed', ...silent)).toBe(9);
  expect(rowLength(...silent, 'preempted', null)).toBe(1);
  expect(rowLength(...silent, 'failed')).toBe(0);
  // One that was superseded before it started a trainer says nothing about memory.
  expect(silentInARow(past(...silent).map((epoch) => ({ ...epoch, started: false })))).toEqual([]);
});

it('takes a full disk for an error only when it stays full', () => {
  const full = (epoch: number): PastEpoch => {
    const outcome = { status: 'failed', message: 'disk full: free space', field: null, cause: 'disk_full' } as const;
    return { epoch, progressed: false, started: true, outcome };
  };
  const attempts = (count: number) => Array.from({ length: count }, (_, index) => full(index + 1));
  expect(errorsWithoutProgress(attempts(19)).errors).toBe(0);
  expect(errorsWithoutProgress(attempts(60)).errors).toBe(3);
});
