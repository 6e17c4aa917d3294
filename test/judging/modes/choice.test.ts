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

test('adds up a label with and without a space, and leaves its other spellings off the scale', () => {
  const shares = { yes: 0.3, ' yes': 0.2, Yes: 0.1, no: 0.3, maybe: 0.1 };
  const verdict = read(said('yes', { forced: true, logprobs: [at('yes', shares)] }));
  expect(verdict.distribution?.[9]).toBeCloseTo(0.5 / 0.9, 6);
  expect(verdict.off_scale_mass).toBeCloseTo(0.1, 6);
});

test('of a model that was free to write anything takes probabilities only where all labels are listed', () => {
  const all = at('yes', { yes: 0.55, no: 0.4, maybe: 0.01 });
  expect(read(said('yes', { logprobs: [all] })).distribution?.[0]).toBeCloseTo(0.4 / 0.96, 6);
  // "maybe" may be the piece "may", and its probability that of "may".
  const split = at('yes', { yes: 0.55, may: 0.44, no: 0.001 });
  expect(read(said('yes', { logprobs: [split] }))).toMatchObject({
    verdict: 'scored',
    score: 9,
    distribution: null,
    confidence: null,
    off_scale_mass: null,
  });
});

const two = (first: string, second: string) => ({
  ...scale,
  labels: [
    { label: first, score: 9, meaning: '' },
    { label: second, score: 0, meaning: '' },
  ],
});

test('takes a label of one letter as it is written: an article is no answer', () => {
  expect(readReply(said('a'), 'choice', two('A', 'B'))).toMatchObject({ verdict: 'unparseable' });
  const logprobs = [at('A', { A: 0.2, B: 0.1, ' a': 0.7 })];
  expect(readReply(said('A', { forced: true, logprobs }), 'choice', two('A', 'B'))).toMatchObject({
    verdict: 'off_scale',
  });
});

test('knows a label however its accents are encoded', () => {
  expect(readReply(said('e\u0301'), 'choice', two('\u00e9', 'non'))).toMatchObject({ score: 9 });
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

test('where labels were forced gives no distribution where one that is not listed could change it', () => {
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
  expect(choice.answer(rubric, { score, preferred: null })).toBe(` ${label}`);
});

test('teaches a label as it goes on from the prefix', () => {
  const begun = (answer_prefix: string | null) =>
    Rubric.parse({ ...rubric, modes: { ...rubric.modes, choice: { ...template, answer_prefix } } });
  const whole = ['It is', 'It is ', null].map(
    (prefix) => `${prefix ?? ''}${choice.answer(begun(prefix), { score: 9, preferred: null })}`,
  );
  expect(whole).toEqual(['It is yes', 'It is yes', 'yes']);
});
