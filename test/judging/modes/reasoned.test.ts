import { expect, test } from 'vitest';
import { readReply } from '../../../src/judging/read-reply.ts';
import { at, said, scale, sure, withTraces } from '../replies.ts';

const read = (reply: Parameters<typeof readReply>[0]) => readReply(reply, 'reasoned', scale);

test('gives a reply without probabilities its digit as score and value, and says that this is the rule', () => {
  expect(read(said('It is right. Score: 7'))).toEqual({
    verdict: 'scored',
    score: 7,
    value: 7,
    value_rule: 'score',
    p_pass: 1,
    confidence: null,
    distribution: null,
    off_scale_mass: null,
    reasoning: 'It is right.',
  });
  expect(read(said('Score: 4'))).toMatchObject({ score: 4, p_pass: 0 });
});

test.each(['Score: abstain', 'Score: n/a', 'I cannot tell. Score: N/A.'])('reads %j as abstained', (text) => {
  expect(read(said(text))).toMatchObject({ verdict: 'abstained', score: null, value: null, p_pass: null });
});

test('calls a refusal and a content filter refused, whatever the text says', () => {
  expect(read(said('', { refusal: 'No.' }))).toMatchObject({ verdict: 'refused', reasoning: 'No.' });
  expect(read(said('Score: 4', { finish_reason: 'content_filter' }))).toMatchObject({
    verdict: 'refused',
    score: null,
  });
});

test('joins thinking that the server kept apart with the text before the score', () => {
  const reply = said('So it is fine. Score: 9', { reasoning_content: 'Let me see.' });
  expect(read(reply).reasoning).toBe('Let me see.\nSo it is fine.');
});

test('takes the distribution at the digit of the last score, not at an earlier digit or at the 9 of "/9"', () => {
  const logprobs = [
    at('It says Score: 2. But no. ', {}),
    at('Score', {}),
    at(':', {}),
    at(' 7', withTraces({ ' 7': 0.6, '8': 0.3, nine: 0.04 })),
    at('/', {}),
    at('9', sure(9, 0.99)),
    at('<|im_end|>', {}),
  ];
  const verdict = read(said('It says Score: 2. But no. Score: 7/9', { logprobs }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 7, value_rule: 'expectation' });
  expect(verdict.value).toBeCloseTo((0.6 * 7 + 0.3 * 8) / 0.9, 3);
  expect(verdict.off_scale_mass).toBeCloseTo(0.1, 3);
  expect(verdict.p_pass).toBeCloseTo(1, 4);
});

test('scores the most probable digit also where a less probable one was sampled', () => {
  const logprobs = [at('Score', {}), at(':', {}), at('4', withTraces({ '4': 0.3, '8': 0.6 }))];
  const verdict = read(said('Score:4', { logprobs }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 8 });
  expect(verdict.p_pass).toBeCloseTo(0.6 / 0.9, 4);
});

test('has no distribution where the digit shares a token with other text', () => {
  const logprobs = [at('Score', {}), at(': 7.', { ': 7.': 0.9 })];
  const verdict = read(said('Score: 7.', { logprobs }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 7, value: 7, value_rule: 'score', distribution: null });
});

test('finds the digit though characters before it were cut up into broken tokens', () => {
  const logprobs = [at('\ufffd', {}), at('\ufffd', {}), at(' Score', {}), at(': ', {}), at('3', sure(3, 0.91))];
  expect(read(said('é Score: 3', { logprobs })).confidence).toBeCloseTo(0.91, 6);
});
