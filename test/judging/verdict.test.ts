import { expect, test } from 'vitest';
import { digitsAt, type TokenLogprob } from '../../src/judging/digits.ts';
import { parseReply, type Reply } from '../../src/judging/verdict.ts';

const said = (content: string, more: Partial<Reply> = {}): Reply => ({
  content,
  reasoning_content: null,
  refusal: null,
  finish_reason: 'stop',
  logprobs: null,
  ...more,
});

const at = (token: string, shares: Record<string, number>): TokenLogprob => ({
  token,
  logprob: Math.log(shares[token] ?? 0.001),
  top_logprobs: Object.entries(shares).map(([text, share]) => ({ token: text, logprob: Math.log(share) })),
});

/** Ten digits of which `share` goes to `digit`; the rest is evenly spread. */
const sure = (digit: number, share: number): Record<string, number> =>
  Object.fromEntries([...'0123456789'].map((name) => [name, Number(name) === digit ? share : (1 - share) / 9]));

test.each([
  ['It is right. Score: 7', 7],
  ['Score: 3 at first, but no. Score: 8', 8],
  ['**Score: 9**', 9],
  ['Score: **4**.', 4],
  ['Score: 6/9', 6],
  ['score: 0\n', 0],
  ['Final Score:5', 5],
])('reads the score at the end of %j as %i', (text, score) => {
  expect(parseReply(said(text), 'reasoned')).toMatchObject({
    verdict: 'scored',
    score,
    expectation: null,
    distribution: null,
  });
});

test.each([
  'Score: 12',
  'Score: -1',
  'Score: 7.5',
  'Score: 7/10',
  'Score: 7 out of 9, perhaps',
  'Score: seven',
  'Score:',
  'Seven.',
  '7',
  '',
  'Score: 8. But then again Score: hm',
  'Score: 8\n\nWait, I should check that again.',
])('gives %j no score at all', (text) => {
  const verdict = parseReply(said(text, { finish_reason: 'length' }), 'reasoned');
  expect(verdict).toMatchObject({ verdict: 'unparseable', score: null, expectation: null, confidence: null });
});

test.each(['Score: abstain', 'Score: n/a', 'I cannot tell. Score: N/A.'])('reads %j as abstained', (text) => {
  expect(parseReply(said(text), 'reasoned')).toMatchObject({ verdict: 'abstained', score: null });
});

test('calls a refusal and a content filter refused, whatever the text says', () => {
  expect(parseReply(said('', { refusal: 'No.' }), 'reasoned')).toMatchObject({ verdict: 'refused', reasoning: 'No.' });
  const filtered = said('Score: 4', { finish_reason: 'content_filter' });
  expect(parseReply(filtered, 'reasoned')).toMatchObject({ verdict: 'refused', score: null });
});

test('joins thinking that the server kept apart with the text before the score', () => {
  const reply = said('So it is fine. Score: 9', { reasoning_content: 'Let me see.' });
  expect(parseReply(reply, 'reasoned').reasoning).toBe('Let me see.\nSo it is fine.');
});

test('takes the distribution at the digit of the last score, not at an earlier digit or at the 9 of "/9"', () => {
  const logprobs = [
    at('Score: 2. ', {}),
    at('Score', {}),
    at(':', {}),
    at(' 7', {
      ' 7': 0.6,
      '8': 0.3,
      nine: 0.04,
      ...{ 0: 1e-5, 1: 1e-5, 2: 1e-5, 3: 1e-5, 4: 1e-5, 5: 1e-5, 6: 1e-5, 9: 1e-5 },
    }),
    at('/', {}),
    at('9', sure(9, 0.99)),
    at('<|im_end|>', {}),
  ];
  const verdict = parseReply(said('Score: 2. Score: 7/9', { logprobs }), 'reasoned');
  expect(verdict.score).toBe(7);
  expect(verdict.expectation).toBeCloseTo((0.6 * 7 + 0.3 * 8) / 0.9, 2);
  expect(verdict.off_digit_mass).toBeCloseTo(0.1, 3);
});

test('has no distribution where the digit shares a token with other text', () => {
  const logprobs = [at('Score', {}), at(': 7.', { ': 7.': 0.9 })];
  const verdict = parseReply(said('Score: 7.', { logprobs }), 'reasoned');
  expect(verdict).toMatchObject({ verdict: 'scored', score: 7, expectation: null, distribution: null });
});

test('finds the digit though characters before it were cut up into broken tokens', () => {
  const logprobs = [at('\ufffd', {}), at('\ufffd', {}), at(' Score', {}), at(': ', {}), at('3', sure(3, 0.91))];
  const verdict = parseReply(said('é Score: 3', { logprobs }), 'reasoned');
  expect(verdict.confidence).toBeCloseTo(0.91, 6);
});

test('scores a single token by its most probable digit, whichever was sampled', () => {
  const verdict = parseReply(said('2', { logprobs: [at('2', sure(6, 0.7))] }), 'single_token');
  expect(verdict).toMatchObject({ verdict: 'scored', score: 6, reasoning: null });
  expect(verdict.confidence).toBeCloseTo(0.7, 6);
});

test('shows the mass outside the digits of a model that wants to say something else', () => {
  const shares = {
    Sure: 0.9,
    '7': 0.06,
    '8': 0.03,
    ...{ 0: 1e-5, 1: 1e-5, 2: 1e-5, 3: 1e-5, 4: 1e-5, 5: 1e-5, 6: 1e-5, 9: 1e-5 },
  };
  const verdict = parseReply(said('Sure', { logprobs: [at('Sure', shares)] }), 'single_token');
  expect(verdict).toMatchObject({ verdict: 'scored', score: 7 });
  expect(verdict.off_digit_mass).toBeCloseTo(0.91, 3);
  expect(verdict.expectation).toBeCloseTo(7.33, 1);
});

test('calls a single token unparseable where no digit is in sight', () => {
  const verdict = parseReply(said('Sure', { logprobs: [at('Sure', { Sure: 0.9, Well: 0.05 })] }), 'single_token');
  expect(verdict).toMatchObject({ verdict: 'unparseable', score: null, off_digit_mass: 1 });
});

test('gives no distribution where digits below the listed tokens could change it', () => {
  const digits = digitsAt(at('7', { the: 0.3, a: 0.3, an: 0.3, '7': 0.05 }));
  expect(digits).toMatchObject({ argmax: 7, distribution: null, expectation: null });
  expect(digits.off_digit_mass).toBeCloseTo(0.95, 6);
});

test('takes unlisted digits as 0 where even all of them together could change nothing', () => {
  const digits = digitsAt(at('9', { '9': 0.97, '8': 0.02, '\n': 0.0001 }));
  expect(digits.distribution?.[9]).toBeCloseTo(0.97 / 0.99, 6);
  expect(digits.distribution?.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
});
