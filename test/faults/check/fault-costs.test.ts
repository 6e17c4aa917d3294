import { describe, expect, it } from 'vitest';
import { costsOf, lostAt, stepsOfChain } from '../../../bench/faults/check/fault-costs.ts';
import type { Event, Logged } from '../../../bench/faults/observe/event-log.ts';
import { missedOf, targetsOf } from '../../../bench/faults/report/campaign-report.ts';
import { quantile, rowsOf } from '../../../bench/faults/report/cost-rows.ts';

/** What the campaign says of a fault is computed from its log; here from logs small enough to be done by hand. */

const log = (...events: [seconds: number, event: Event][]): Logged[] =>
  events.map(([seconds, event]) => ({ at: 1000 * seconds, ...event }));
const epoch = (number: number, resumed_step: number): Event => ({
  event: 'epoch',
  stage: 'grpo',
  epoch: number,
  node: 'a',
  starts_from: `step-00000${resumed_step}.e1`,
  started_at: '',
  resumed_step,
});
const step = (number: number, of: number): Event => ({
  event: 'step',
  stage: 'grpo',
  epoch: of,
  step: number,
  seconds: 1,
});
const commit = (number: number, of: number): Event => ({
  event: 'commit',
  stage: 'grpo',
  epoch: of,
  step: number,
  checkpoint: `step-00000${number}.e${of}`,
});
const fault = (kind: string, at: { epoch: number; step: number; committed: number }): Event => ({
  event: 'fault',
  id: 1,
  kind,
  stage: 'grpo',
  detail: '',
  ...at,
});
const call = (again: boolean): Event => ({ event: 'judge_call', body: 'b', again });

const killed = log(
  [0, epoch(1, 0)],
  [1, step(1, 1)],
  [2, step(2, 1)],
  [2.1, commit(2, 1)],
  [3, step(3, 1)],
  [4, fault('trainer killed', { epoch: 1, step: 3, committed: 2 })],
  [5, epoch(2, 2)],
  [6, { event: 'trainer', stage: 'grpo', epoch: 2, pid: 1, gpus: '' }],
  [7, call(true)],
  [8, step(3, 2)],
  [9, step(4, 2)],
  [9.5, commit(4, 2)],
  [9.7, call(true)],
  [10, { event: 'result', stage: 'grpo', sha256: 's', epoch: 2 }],
);
const chain = stepsOfChain('grpo', [
  { epoch: 1, step: 0 },
  { epoch: 1, step: 2 },
  { epoch: 2, step: 4 },
]);

describe('the cost of a fault', () => {
  it('is what the log says: steps done again, calls asked again, seconds to the next of each', () => {
    const [cost] = costsOf(1, killed, chain);
    expect(cost).toMatchObject({ kind: 'trainer killed', steps_lost: 1, asked_again: 1 });
    expect(cost).toMatchObject({ to_epoch: 1, to_trainer: 2, to_commit: 5.5, effective: 2, window: 6 });
  });

  it('counts a step that was lost for no effective time', () => {
    expect([...chain]).toEqual(['grpo 1 1', 'grpo 1 2', 'grpo 2 3', 'grpo 2 4']);
  });

  it('is no step where the next attempt goes on from the last one that was finished', () => {
    const notice = killed.map((event) =>
      event.event === 'epoch' && event.epoch === 2 ? { ...event, resumed_step: 3 } : event,
    );
    expect(costsOf(1, notice, chain)[0]?.steps_lost).toBe(0);
  });

  it('counts what a fallback costs after an attempt that finished no step', () => {
    const events = log([0, epoch(1, 0)], [1, step(6, 1)], [2, epoch(2, 6)], [3, epoch(3, 3)]);
    expect(lostAt(events[3] as Logged, events)).toBe(3);
  });

  it('is not recovered by what the old attempt commits on its way out', () => {
    const [cost] = costsOf(1, [...killed.slice(0, 6), { at: 4500, ...commit(3, 1) }, ...killed.slice(6)], chain);
    expect(cost?.to_commit).toBe(5.5);
  });

  it('is not measured where nothing came after it', () => {
    const [cost] = costsOf(1, killed.slice(0, 6), chain);
    expect(cost).toMatchObject({ to_epoch: null, to_commit: null, steps_lost: 0 });
  });
});

it('puts rows together by kind, the worst of each', () => {
  const [cost] = costsOf(1, killed, chain);
  const rows = rowsOf([cost, { ...cost, steps_lost: 3, to_commit: 9.5 }] as never);
  expect(rows.map(({ kind }) => kind)).toEqual(['trainer killed', 'all']);
  expect(rows[0]).toMatchObject({
    count: 2,
    where: 'grpo 2',
    steps_lost_max: 3,
    to_commit_p50: 7.5,
    effective_share: 4 / 12,
  });
});

describe('a target', () => {
  const rows = (found: number) =>
    rowsOf([{ ...costsOf(1, killed, chain)[0], kind: 'vLLM killed', measured: { found, no_orphans: 0.5 } }] as never);

  it('that is missed is named on the page', () => {
    expect(targetsOf(rows(7.25))).toContain('| vLLM killed | found | 7.3 s | 5 s | NO |');
    expect(missedOf(rows(7.25))).toBe('Missed: vLLM killed, found (7.3 s, limit 5 s).');
  });

  it('that is met, or was never put to the test, is not', () => {
    expect(targetsOf(rows(5))).toContain('| vLLM killed | no orphans | 0.5 s | 5 s | yes |');
    expect(missedOf(rows(5))).toBe('None that was seen is missed.');
  });
});

it.each([
  [[], 0.5, null],
  [[3], 0.95, 3],
  [[1, 2, 3, 4], 0.5, 2.5],
  [[10, 20], 0.95, 19.5],
])('takes quantiles as statisticians do (%j, %d)', (values, q, expected) => {
  expect(quantile(values, q)).toEqual(expected === null ? null : expect.closeTo(expected));
});
