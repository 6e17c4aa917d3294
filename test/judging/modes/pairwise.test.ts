import { expect, test } from 'vitest';
import { Rubric } from '../../../src/contracts/rubric.ts';
import { renderMessages } from '../../../src/judging/messages.ts';
import { pairwise } from '../../../src/judging/modes/pairwise.ts';
import { readReply } from '../../../src/judging/read-reply.ts';
import { at, said } from '../replies.ts';

const template = (more: object = {}) => ({
  messages: [{ role: 'user', content: 'Q {{prompt}}\n1 {{completion_a}}\n2 {{completion_b}}' }],
  answer_prefix: 'Better:',
  ...more,
});
const plain = { messages: [{ role: 'user', content: '{{prompt}} {{completion}}' }] };
const rubricWith = (more: object = {}) =>
  Rubric.parse({
    name: 'r',
    frame: 'none',
    scores: Object.fromEntries([...'0123456789'].map((digit) => [digit, 'x'])),
    modes: { reasoned: plain, single_token: plain, pairwise: template(more) },
  });
const rubric = rubricWith();
const read = (reply: Parameters<typeof readReply>[0], of: Rubric = rubric) => readReply(reply, 'pairwise', of);

test('asks with both completions, in the order given, and takes the three answers alone', () => {
  const subject = { prompt: 'p', completion: 'one', opponent: 'two', ground_truth: null };
  const { messages, choices, answer_prefix } = pairwise.build(rubric, subject);
  expect(messages).toEqual([{ role: 'user', content: 'Q p\n1 one\n2 two' }]);
  expect({ choices, answer_prefix }).toEqual({ choices: ['A', 'C', 'B'], answer_prefix: 'Better:' });
});

test('reads the preference from the probabilities of the three answers, and no score', () => {
  const logprobs = [at('B', { A: 0.5, ' B': 0.1, B: 0.1, C: 0.1, well: 0.2 })];
  const verdict = read(said('B', { forced: true, logprobs }));
  expect(verdict).toMatchObject({ verdict: 'scored', score: null, value: null, p_pass: null, distribution: null });
  expect(verdict.preference).toMatchObject({ label: 'A', order: 'ab' });
  expect(verdict.preference?.distribution?.A).toBeCloseTo(0.5 / 0.8, 6);
  expect(verdict.preference?.distribution?.B).toBeCloseTo(0.2 / 0.8, 6);
  expect(verdict.preference?.win).toBeCloseTo((0.5 + 0.05) / 0.8, 6);
  expect(verdict.confidence).toBeCloseTo(0.5 / 0.8, 6);
  expect(verdict.off_scale_mass).toBeCloseTo(0.2, 6);
});

test.each([
  ['A', { label: 'A', win: 1 }],
  ['B.', { label: 'B', win: 0 }],
  ['C', { label: 'tie', win: 0.5 }],
])('takes the written answer %s where no probabilities are known', (text, preference) => {
  expect(read(said(text)).preference).toEqual({ ...preference, distribution: null, order: 'ab' });
});

test('two answers of the same probability are a tie, whichever was sampled', () => {
  const logprobs = [at('A', { A: 0.4, B: 0.4, C: 0.1 })];
  expect(read(said('A', { forced: true, logprobs })).preference).toMatchObject({ label: 'tie' });
});

test('an answer that is none of the three is unparseable and has no preference', () => {
  const verdict = read(said('Both are fine.'));
  expect(verdict).toMatchObject({ verdict: 'unparseable', score: null });
  expect(verdict).not.toHaveProperty('preference');
});

test('an article at the beginning of a sentence is no answer A', () => {
  expect(read(said('a'))).toMatchObject({ verdict: 'unparseable' });
});

test('a forced answer with most probability elsewhere is off_scale', () => {
  const verdict = read(said('A', { forced: true, logprobs: [at('A', { A: 0.1, B: 0.05, C: 0.01, Well: 0.8 })] }));
  expect(verdict).toMatchObject({ verdict: 'off_scale', score: null });
  expect(verdict).not.toHaveProperty('preference');
});

test('a forced answer without probabilities is unparseable: it does not show what the model would have said', () => {
  expect(read(said('A', { forced: true }))).toMatchObject({ verdict: 'unparseable' });
});

test('of a model that was free to write anything takes probabilities only where all answers are listed', () => {
  const listed = at('A', { A: 0.6, B: 0.3, C: 0.05 });
  expect(read(said('A', { logprobs: [listed] })).preference?.distribution).not.toBeNull();
  const cut = at('A', { A: 0.6, B: 0.3 });
  expect(read(said('A', { logprobs: [cut] })).preference).toMatchObject({ label: 'A', distribution: null });
});

test('without an answer for ties the judge must prefer one', () => {
  const strict = rubricWith({ tie: null, first: 'one', second: 'two' });
  const subject = { prompt: 'p', completion: 'one', opponent: 'two', ground_truth: null };
  expect(pairwise.build(strict, subject).choices).toEqual(['one', 'two']);
  expect(read(said('two'), strict).preference).toMatchObject({ label: 'B' });
  expect(pairwise.answer(strict, { score: null, preferred: 'tie' })).toBeNull();
});

test.each([
  ['first', ' A'],
  ['second', ' B'],
  ['tie', ' C'],
] as const)('teaches that the %s is preferred as "%s", which goes on from the prefix', (preferred, reply) => {
  expect(pairwise.answer(rubric, { score: null, preferred })).toBe(reply);
  expect(read(said(reply)).preference?.label).toBe({ first: 'A', second: 'B', tie: 'tie' }[preferred]);
});

test('both completions stand in a frame of one mark, which neither can have', () => {
  const framed = Rubric.parse({ ...rubric, frame: 'digest' });
  const subject = { prompt: 'p', completion: 'one', opponent: 'two', ground_truth: null };
  const [message] = renderMessages(framed, 'pairwise', subject);
  const marks = [...(message?.content ?? '').matchAll(/\[(?:begin|end) ([0-9a-f]{16})\]/g)].map(([, mark]) => mark);
  expect(marks).toHaveLength(4);
  expect(new Set(marks).size).toBe(1);
  const [other] = renderMessages(framed, 'pairwise', { ...subject, opponent: 'three' });
  expect(other?.content).not.toContain(marks[0]);
});
