import { expect, it } from 'vitest';
import { notices } from '../../../bench/faults/check/lost-after-notice.ts';
import type { Logged } from '../../../bench/faults/observe/event-log.ts';

const step = (epoch: number, number: number) => ({ event: 'step', stage: 'grpo', epoch, step: number, seconds: 1 });
const epoch = (number: number, resumed_step: number) => ({
  event: 'epoch',
  stage: 'grpo',
  epoch: number,
  node: 'a',
  starts_from: null,
  started_at: '',
  resumed_step,
});
const notice = { event: 'fault', id: 1, kind: 'preemptionNotice', stage: 'grpo', epoch: 2, step: 10, committed: 9 };

const found = (...events: object[]) =>
  notices(events.map((event, at) => ({ detail: '', ...event, at })) as unknown as Logged[]);

it('finds a finished step that a notice cost', () => {
  expect(found(epoch(2, 9), step(2, 10), notice, epoch(3, 9))).toMatchObject([
    { detail: 'preemptionNotice: step 10 was finished, epoch 3 began at 9' },
  ]);
  expect(found(epoch(2, 9), notice, step(2, 10), epoch(3, 9))).toHaveLength(1);
});

it('counts what the noticed attempt had finished, and not what one before it had lost already', () => {
  expect(found(step(1, 10), epoch(2, 9), notice, epoch(3, 9))).toEqual([]);
  expect(found(step(1, 10), epoch(2, 9), step(2, 10), notice, epoch(3, 10))).toEqual([]);
});
