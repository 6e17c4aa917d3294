import { expect, test } from 'vitest';
import type { PairLabel, PairOrder, Verdict } from '../../src/contracts/verdict.ts';
import { combinePair } from '../../src/judging/pair.ts';
import { inOrder, type Shares, sharesOf, winOf } from '../../src/judging/preference.ts';
import { NO_SCORE, unscored } from '../../src/judging/value.ts';

const panel = { votes: 1, combine: 'mean', confidence_threshold: 0 } as const;

const vote = (label: PairLabel, distribution: Shares | null = null, order: PairOrder = 'ab'): Verdict => ({
  verdict: 'scored',
  ...NO_SCORE,
  ...{ confidence: null, distribution: null, off_scale_mass: null },
  preference: { label, distribution, win: winOf(distribution ?? sharesOf(label)), order },
});

test.each([
  ['A', 'A', 'A', 1, 'consistent'],
  ['B', 'B', 'B', 0, 'consistent'],
  ['tie', 'tie', 'tie', 0.5, 'consistent'],
  ['A', 'B', 'tie', 0.5, 'first'],
  ['B', 'A', 'tie', 0.5, 'second'],
  ['A', 'tie', 'tie', 0.75, 'first'],
  ['tie', 'B', 'tie', 0.25, 'first'],
  ['tie', 'A', 'tie', 0.75, 'second'],
  ['B', 'tie', 'tie', 0.25, 'second'],
] as const)('%s with A first and %s with B first: %s, won by %f, %s', (ab, ba, label, win, order) => {
  expect(combinePair({ ab: [vote(ab)], ba: [vote(ba)] }, panel)).toMatchObject({
    verdict: 'scored',
    score: null,
    p_pass: null,
    preference: { label, win, order, distribution: null },
  });
});

test('win and distribution are means of both orders, so that a position wins nothing', () => {
  const first = vote('A', { A: 0.8, B: 0.1, tie: 0.1 });
  const second = vote('B', { A: 0.1, B: 0.8, tie: 0.1 });
  const { preference, confidence } = combinePair({ ab: [first], ba: [second] }, panel);
  expect(preference?.win).toBeCloseTo(0.5, 9);
  expect(preference?.distribution?.A).toBeCloseTo(0.45, 9);
  expect(confidence).toBeCloseTo(0.45, 9);
});

test('one vote without probabilities has both orders read by their labels', () => {
  const soft = vote('A', { A: 0.55, B: 0.35, tie: 0.1 });
  const { preference } = combinePair({ ab: [vote('A')], ba: [soft] }, panel);
  expect(preference).toEqual({ label: 'A', distribution: null, win: 1, order: 'consistent' });
});

test('a pair less confident than the threshold of the panel, or of unknown confidence, has no preference', () => {
  const sure = vote('A', { A: 0.9, B: 0.05, tie: 0.05 });
  const strict = { ...panel, confidence_threshold: 0.6 };
  expect(combinePair({ ab: [sure], ba: [sure] }, strict)).toMatchObject({ verdict: 'scored' });
  const mixed = combinePair({ ab: [sure], ba: [vote('B', { A: 0.1, B: 0.85, tie: 0.05 })] }, strict);
  expect(mixed).toMatchObject({ verdict: 'low_confidence' });
  expect(mixed).not.toHaveProperty('preference');
  expect(combinePair({ ab: [vote('A')], ba: [vote('A')] }, strict)).toMatchObject({ verdict: 'low_confidence' });
});

test('a pair is scored only where more than half of the votes in each order are', () => {
  const none = unscored('refused');
  const answered = [vote('A'), vote('A'), none];
  expect(combinePair({ ab: answered, ba: answered }, panel)).toMatchObject({ preference: { label: 'A' } });
  const split = combinePair({ ab: answered, ba: [vote('A'), none, none] }, panel);
  expect(split).toMatchObject({ verdict: 'refused' });
  expect(split).not.toHaveProperty('preference');
});

test.each([
  ['mean', 'A', 2 / 3],
  ['majority', 'A', 1],
  ['median', 'A', 1],
] as const)('of three votes combines by %s', (combine, label, win) => {
  const votes = [vote('A'), vote('A'), vote('B')];
  const { preference } = combinePair({ ab: votes, ba: votes }, { ...panel, combine });
  expect(preference).toMatchObject({ label, order: 'consistent' });
  expect(preference?.win).toBeCloseTo(win, 9);
});

test('the median of two votes that differ is a tie', () => {
  const votes = [vote('A'), vote('B')];
  const { preference } = combinePair({ ab: votes, ba: votes }, { ...panel, combine: 'median' });
  expect(preference).toMatchObject({ label: 'tie', win: 0.5 });
});

test('a vote read as if A had been first is about the other completion where B was', () => {
  const read = vote('A', { A: 0.7, B: 0.2, tie: 0.1 });
  expect(inOrder(read, 'ab')).toEqual(read);
  const turned = inOrder(read, 'ba').preference;
  expect(turned).toMatchObject({ label: 'B', distribution: { A: 0.2, B: 0.7, tie: 0.1 }, order: 'ba' });
  expect(turned?.win).toBeCloseTo(0.25, 9);
  expect(inOrder(inOrder(read, 'ba'), 'ab')).toEqual(read);
});
