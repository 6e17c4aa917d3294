import { expect, it } from 'vitest';
import type { Preemption } from '../../src/contracts/status.ts';
import { mergePreemptions } from '../../src/run-directory/preemptions.ts';

const struck = (at: number, seconds: number | null = null): Preemption => ({
  at: `2026-01-01T00:00:0${at}.000Z`,
  stage: 'grpo',
  what: 'trainer',
  cause: 'c',
  steps_lost: 1,
  seconds_to_next_commit: seconds,
});

it('joins what the file and the workflow know, in order, each preemption once', () => {
  expect(mergePreemptions([struck(1, 5), struck(3)], [struck(2, 4), struck(3)])).toEqual([
    struck(1, 5),
    struck(2, 4),
    struck(3),
  ]);
});

it('takes the seconds of a preemption from whichever has them', () => {
  expect(mergePreemptions([struck(1, 5)], [struck(1)])).toEqual([struck(1, 5)]);
  expect(mergePreemptions([struck(1)], [struck(1, 5)])).toEqual([struck(1, 5)]);
});

it('is what the one knows where the other knows nothing', () => {
  expect(mergePreemptions(null, [struck(1)])).toEqual([struck(1)]);
  expect(mergePreemptions([struck(1)], null)).toEqual([struck(1)]);
  expect(mergePreemptions(null, null)).toBeNull();
});
