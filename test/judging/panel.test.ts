import { expect, test } from 'vitest';
import { PanelSpec } from '../../src/contracts/spec/judge.ts';
import { combine } from '../../src/judging/panel.ts';
import { unscored, vote } from './replies.ts';

const panel = (more: Partial<PanelSpec> = {}) => PanelSpec.parse(more);
const between = (shares: Record<number, number>) => [...'0123456789'].map((digit) => shares[Number(digit)] ?? 0);

test('hands the verdict of a single vote on as it is', () => {
  const only = vote(7, between({ 7: 0.7, 2: 0.3 }));
  expect(combine([only], panel())).toEqual(only);
  const off = { ...unscored('off_scale'), off_scale_mass: 0.9 };
  expect(combine([off], panel())).toEqual(off);
});

test.each([
  ['mean', { score: 9, value: 6, p_pass: 3 / 5 }],
  ['median', { score: 7, value: 7, p_pass: 3 / 5 }],
  ['majority', { score: 9, value: 9, p_pass: 1 }],
] as const)('combines votes without distributions by %s', (rule, numbers) => {
  const votes = [9, 9, 7, 4, 1].map((score) => vote(score));
  expect(combine(votes, panel({ votes: 5, combine: rule }))).toMatchObject({
    ...{ verdict: 'scored', ...numbers, value_rule: 'score' },
    ...{ confidence: null, distribution: null },
  });
});

test.each([
  [[5, 5, 1, 2, 3], 5, 1],
  [[4, 4, 5, 7, 9], 4, 0],
])('passes or fails %j by the votes that made its majority', (scores, score, p_pass) => {
  const votes = scores.map((digit) => vote(digit));
  expect(combine(votes, panel({ votes: 5, combine: 'majority' }))).toMatchObject({ score, value: score, p_pass });
});

test('keeps the score of votes that gave one of two equally probable digits', () => {
  const tied = vote(9, between({ 0: 0.5, 9: 0.5 }));
  for (const rule of ['mean', 'median', 'majority'] as const)
    expect(combine([tied], panel({ combine: rule }))).toEqual(tied);
});

test('takes the lower of two scores in the middle, and the mean of their values', () => {
  const votes = [2, 4, 7, 9].map((score) => vote(score));
  expect(combine(votes, panel({ votes: 4, combine: 'median' }))).toMatchObject({ score: 4, value: 5.5 });
});

test('breaks a tie of the majority by the probability that all votes give', () => {
  const votes = [vote(3, between({ 3: 0.55, 8: 0.45 })), vote(8, between({ 8: 0.9, 3: 0.1 }))];
  expect(combine(votes, panel({ votes: 2, combine: 'majority' }))).toMatchObject({ score: 8 });
});

test('adds up distributions, so that a digit which no vote prefers can be the most probable', () => {
  const votes = [vote(9, between({ 9: 0.5, 5: 0.45, 0: 0.05 })), vote(0, between({ 0: 0.5, 5: 0.45, 9: 0.05 }))];
  const verdict = combine(votes, panel({ votes: 2 }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 5, value_rule: 'expectation' });
  expect(verdict.value).toBeCloseTo(4.725, 9);
  expect(verdict.confidence).toBeCloseTo(0.45, 9);
  expect(verdict.p_pass).toBeCloseTo((0.95 + 0.5) / 2, 9);
});

test('is scored by the votes that are, if these are more than half', () => {
  const lost = unscored('unparseable');
  expect(combine([vote(8), vote(6), lost], panel({ votes: 3 }))).toMatchObject({ verdict: 'scored', value: 7 });
  expect(combine([vote(8), lost], panel({ votes: 2 }))).toMatchObject({ verdict: 'unparseable', value: null });
});

test('says of what kind most votes without a score are', () => {
  const votes = [unscored('refused'), unscored('off_scale'), unscored('off_scale'), vote(9)];
  expect(combine(votes, panel({ votes: 4 }))).toMatchObject({ verdict: 'off_scale', score: null, p_pass: null });
});

test('has no score below the confidence threshold, or where the confidence is not known', () => {
  const strict = panel({ votes: 2, confidence_threshold: 0.5 });
  const sureVotes = [vote(9, between({ 9: 0.6, 8: 0.4 })), vote(9, between({ 9: 0.5, 7: 0.5 }))];
  expect(combine(sureVotes, strict)).toMatchObject({ verdict: 'scored', score: 9, confidence: 0.55 });
  const split = [vote(9, between({ 9: 0.9, 0: 0.1 })), vote(0, between({ 0: 1 }))];
  expect(combine(split, panel({ ...strict, confidence_threshold: 0.6 }))).toMatchObject({
    ...{ verdict: 'low_confidence', score: null, value: null, value_rule: null, p_pass: null },
    ...{ confidence: 0.55 },
  });
  expect(combine([vote(9), vote(9)], strict)).toMatchObject({ verdict: 'low_confidence', score: null });
});
