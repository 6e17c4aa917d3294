import { expect, test } from 'vitest';
import { DIGITS, optionsAt } from '../../../src/judging/options.ts';
import { readReply } from '../../../src/judging/read-reply.ts';
import { at, said, scale, sure, withTraces } from '../replies.ts';

const read = (reply: Parameters<typeof readReply>[0], of = scale) => readReply(reply, 'single_token', of);

test('scores a single token by its most probable digit, whichever was sampled', () => {
  const verdict = read(said('2', { logprobs: [at('2', sure(6, 0.7))] }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 6, value_rule: 'expectation', reasoning: null });
  expect(verdict.confidence).toBeCloseTo(0.7, 6);
});

test('keeps score, value and p_pass apart where two far digits are likely', () => {
  const shares = withTraces({ '0': 0.4, '9': 0.35, '5': 0.25 });
  const verdict = read(said('0', { logprobs: [at('0', shares)] }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 0 });
  expect(verdict.value).toBeCloseTo(0.35 * 9 + 0.25 * 5, 3);
  expect(verdict.p_pass).toBeCloseTo(0.6, 4);
});

test.each([
  ['9', 9],
  ['0', 0],
  ['well', 0],
])('of digits that are equally probable scores the sampled one: %s', (token, score) => {
  const logprobs = [at(token, withTraces({ '0': 0.5, '9': 0.5 }))];
  expect(read(said(token, { logprobs }))).toMatchObject({ verdict: 'scored', score });
});

test('takes the threshold of the rubric', () => {
  const reply = said('0', { logprobs: [at('0', withTraces({ '0': 0.4, '9': 0.35, '5': 0.25 }))] });
  expect(read(reply, { ...scale, threshold: 6 }).p_pass).toBeCloseTo(0.35, 4);
});

test('gives no score, value or p_pass where most of the mass lies outside the digits', () => {
  const reply = said('Sure', { logprobs: [at('Sure', withTraces({ Sure: 0.9, '7': 0.06, '8': 0.03 }))] });
  const verdict = read(reply);
  expect(verdict).toMatchObject({ verdict: 'off_scale', score: null, value: null, value_rule: null, p_pass: null });
  expect(verdict.off_scale_mass).toBeCloseTo(0.91, 3);
  expect(verdict.distribution?.[7]).toBeCloseTo(2 / 3, 2);
  expect(read(reply, { ...scale, max_off_scale_mass: 0.95 })).toMatchObject({ verdict: 'scored', score: 7 });
});

test('calls a reply off_scale also where no digit is among the likeliest tokens, though a digit was forced', () => {
  const words = { Sure: 0.5, Well: 0.2, The: 0.1, I: 0.1 };
  const verdict = read(said('3', { logprobs: [at('3', words)] }));
  expect(verdict).toMatchObject({ verdict: 'off_scale', score: null, value: null, distribution: null });
  expect(verdict.off_scale_mass).toBeGreaterThan(0.99);
});

test('says that the value is the score where the list is too short for an expectation', () => {
  const verdict = read(said('7', { logprobs: [at('7', { '7': 0.4, '8': 0.2, well: 0.1, um: 0.1 })] }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 7, value: 7, value_rule: 'score', p_pass: 1 });
});

test('reads the digit alone where the server gives no probabilities, and nothing else', () => {
  expect(read(said(' 4'))).toMatchObject({ verdict: 'scored', score: 4, value_rule: 'score', off_scale_mass: null });
  expect(read(said('Sure'))).toMatchObject({ verdict: 'unparseable', score: null, off_scale_mass: null });
});

test('has no score where the digit was forced and no probability tells whether the model would have given one', () => {
  const verdict = read(said('4', { forced: true }));
  expect(verdict).toMatchObject({ verdict: 'unparseable', score: null, value: null, p_pass: null });
  expect(verdict.reasoning).toMatch(/constrained the reply to the digits and returned no log-probabilities/);
  expect(read(said('4', { forced: true, logprobs: [at('4', sure(4, 0.9))] }))).toMatchObject({ verdict: 'scored' });
});

test('gives no distribution where digits below the listed tokens could change it', () => {
  const digits = optionsAt(at('7', { the: 0.3, a: 0.3, an: 0.3, '7': 0.05 }), DIGITS);
  expect(digits).toMatchObject({ argmax: 7, distribution: null });
  expect(digits.off_scale_mass).toBeCloseTo(0.95, 6);
});

test('takes unlisted digits as 0 where even all of them together could change nothing', () => {
  const digits = optionsAt(at('9', { '9': 0.97, '8': 0.02, '\n': 0.0001 }), DIGITS);
  expect(digits.distribution?.[9]).toBeCloseTo(0.97 / 0.99, 6);
  expect(digits.distribution?.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
});
