import { expect, test } from 'vitest';
import { Rubric } from '../../../src/contracts/rubric.ts';
import { choice } from '../../../src/judging/modes/choice.ts';
import { readReply } from '../../../src/judging/read-reply.ts';
import { at, said, scale } from '../replies.ts';

const labels = [
  { label: 'yes', score: 9, meaning: 'It is right.' },
  { label: 'maybe', score: 5, meaning: '' },
  { label: 'no', score: 0, meaning: 'It is wrong.' },
];
const of = { ...scale, labels };
const read = (reply: Parameters<typeof readReply>[0]) => readReply(reply, 'choice', of);

test('scores the most probable label, whichever was sampled, and spreads its distribution over the labels', () => {
  const verdict = read(said('no', { forced: true, logprobs: [at('no', { yes: 0.5, ' maybe': 0.2, no: 0.1 })] }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 9, value_rule: 'expectation', reasoning: null });
  expect(verdict.distribution?.map((share) => Math.round(1000 * share))).toEqual([125, 0, 0, 0, 0, 250, 0, 0, 0, 625]);
  expect(verdict.value).toBeCloseTo(0.625 * 9 + 0.25 * 5, 6);
  expect(verdict.p_pass).toBeCloseTo(0.875, 6);
  expect(verdict.off_scale_mass).toBeCloseTo(0.2, 6);
});

test('adds up the spellings of a label: with a space, with a capital', () => {
  const verdict = read(
    said('Yes', { logprobs: [at('Yes', { Yes: 0.3, ' yes': 0.2, yes: 0.1, no: 0.3, maybe: 0.1 })] }),
  );
  expect(verdict.distribution?.[9]).toBeCloseTo(0.6, 6);
});

test('is off_scale where most of the probability lies outside the labels, though one was forced', () => {
  const shares = { Sure: 0.9, yes: 0.05, no: 0.02, maybe: 0.02 };
  expect(read(said('yes', { forced: true, logprobs: [at('yes', shares)] }))).toMatchObject({
    verdict: 'off_scale',
    score: null,
    value: null,
    p_pass: null,
  });
});

test('gives no distribution where a label that is not listed could change it', () => {
  const verdict = read(said('yes', { forced: true, logprobs: [at('yes', { yes: 0.6, well: 0.2, so: 0.1 })] }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: 9, distribution: null, value: 9, value_rule: 'score' });
});

test('reads a label that is several tokens from the text alone: the first piece has no probability of a label', () => {
  const logprobs = [at('may', { may: 0.9, no: 0.1 }), at('be', { be: 1 })];
  expect(read(said('maybe', { logprobs }))).toMatchObject({
    verdict: 'scored',
    score: 5,
    distribution: null,
    off_scale_mass: null,
  });
});

test.each([
  ['Yes.', 9],
  [' no\n', 0],
  ['MAYBE', 5],
])('without probabilities reads %j as the label that it is', (text, score) => {
  expect(read(said(text))).toMatchObject({ verdict: 'scored', score, value_rule: 'score' });
});

test.each(['Sure', 'yes and no', 'yes, because 1 + 1 is 2', ''])('gives %j no score', (text) => {
  expect(read(said(text))).toMatchObject({ verdict: 'unparseable', score: null, value: null, p_pass: null });
});

test('has no score where the label was forced and no probability tells whether the model would have given one', () => {
  expect(read(said('yes', { forced: true }))).toMatchObject({ verdict: 'unparseable', score: null });
});

test('a gateway whose rubric has no labels reads no score out of a chat', () => {
  expect(readReply(said('yes'), 'choice', scale)).toMatchObject({ verdict: 'unparseable', score: null });
});

const template = { messages: [{ role: 'user', content: '{{prompt}} {{completion}}\n{{labels}}' }] };
const rubric = Rubric.parse({
  name: 'r',
  frame: 'none',
  labels,
  scores: Object.fromEntries([...'0123456789'].map((digit) => [digit, digit])),
  modes: { reasoned: template, single_token: template, choice: { ...template, answer_prefix: 'Answer:' } },
});

test('shows the labels with their meanings, and allows them alone', () => {
  const prompting = choice.build(rubric, { prompt: 'p', completion: 'c', ground_truth: null });
  expect(prompting).toMatchObject({ choices: ['yes', 'maybe', 'no'], answer_prefix: 'Answer:' });
  expect(prompting.messages[0]?.content).toBe('p c\nyes: It is right.\nmaybe\nno: It is wrong.');
});

test.each([
  [9, 'yes'],
  [7, 'maybe'],
  [8, 'yes'],
  [5, 'maybe'],
  // Nearer to maybe, which passes where 4 does not.
  [4, 'no'],
  [0, 'no'],
])('teaches a score of %i as %s', (score, label) => {
  expect(choice.answer(rubric, score)).toBe(label);
});
