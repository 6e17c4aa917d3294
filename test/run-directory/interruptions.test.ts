import { expect, it } from 'vitest';
import type { Interruption } from '../../src/contracts/interruption.ts';
import { eachOnce, totalsOf } from '../../src/run-directory/interruptions.ts';

const struck = (epoch: number, given: Partial<Interruption> = {}): Interruption => ({
  at: `2026-01-01T00:00:0${epoch}.000Z`,
  stage: 'grpo',
  epoch,
  what: 'trainer',
  cause: 'preempted',
  message: 'm',
  steps_lost: 1,
  seconds_to_next_commit: null,
  ...given,
});

it('counts an attempt once however often its end was written, and the last line of it', () => {
  const again = struck(1, { seconds_to_next_commit: 5, at: '2026-01-01T00:00:01.500Z' });
  expect(eachOnce([struck(2), struck(1), again])).toEqual([again, struck(2)]);
});

it('tells the deaths of servers apart by their moment', () => {
  const died = (at: string) => struck(1, { epoch: null, what: 'gateway', at });
  expect(eachOnce([died('2026-01-01T00:00:01Z'), died('2026-01-01T00:00:02Z')])).toHaveLength(2);
});

it('adds up counts by cause and steps, and keeps the last five', () => {
  const all = [1, 2, 3, 4, 5, 6].map((epoch) => struck(epoch, epoch === 6 ? { cause: 'hung', steps_lost: null } : {}));
  expect(totalsOf(all)).toEqual({
    count: 6,
    steps_lost: 5,
    by_cause: { preempted: 5, hung: 1 },
    latest: all.slice(1),
  });
});
