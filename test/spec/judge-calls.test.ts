import { expect, test } from 'vitest';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { judgeCallsOf } from '../../src/spec/judge-calls.ts';

const spec = (grpo: object, judge: object = {}) =>
  Spec.parse({
    run: 'r',
    task: { name: 'poly_easy' },
    policy: { model: 'p' },
    base: { model: 'b' },
    judge: { model: 'j', rubric: 'r.yaml', ...judge },
    grpo: { steps: 10, prompts_per_step: 4, num_generations: 8, ...grpo },
  });

test('a judge that scores is asked once a completion and vote', () => {
  expect(judgeCallsOf(spec({}))).toMatchObject({ per_step: 32, total: 320, why: 'one a completion' });
  expect(judgeCallsOf(spec({}, { panel: { votes: 3 } }))).toMatchObject({ per_step: 96, total: 960 });
});

test('a judge that compares is asked about every pair of a group in both orders', () => {
  expect(judgeCallsOf(spec({}, { mode: 'pairwise' }))).toEqual({
    per_step: 4 * 28 * 2,
    total: 10 * 4 * 28 * 2,
    why: '28 pairs a group, each in both orders',
  });
});

test('with a fixed number of opponents the calls grow with the group, not with its square', () => {
  expect(judgeCallsOf(spec({ opponents: 3 }, { mode: 'pairwise' }))).toMatchObject({ per_step: 4 * 12 * 2 });
});
