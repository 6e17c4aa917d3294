import type { Rubric } from '../../contracts/rubric.ts';
import { renderMessages, templateOf } from '../messages.ts';
import type { Answers, TokenLogprob } from '../options.ts';
import type { Mode } from './mode.ts';
import { readAnswer } from './one-answer.ts';

/** Enough for a label that a model's vocabulary cuts into pieces. */
const MAX_TOKENS = 8;

/** The reply is one of the rubric's labels. The score is that of the most probable label, whichever was sampled. */
export const choice: Mode = {
  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'choice', subject),
    answer_prefix: templateOf(rubric, 'choice').answer_prefix,
    choices: labelsOf(rubric).map(({ label }) => label),
    max_tokens: MAX_TOKENS,
  }),

  read(reply, scale) {
    const answers = answersOf(scale);
    const comparable = (token: TokenLogprob) => reply.forced || hasAll(token, answers);
    return readAnswer(reply, scale, { answers, said: saidIn(reply.content, scale), named: 'label', comparable });
  },

  /** The label of the nearest score on the same side of the threshold, of two that are as near the lower one. */
  answer(rubric, score) {
    const passes = (value: number) => value >= rubric.threshold;
    const side = labelsOf(rubric).filter((each) => passes(each.score) === passes(score));
    const nearest = side.reduce((best, each) => (isNearer(each.score, best.score, score) ? each : best));
    const prefix = templateOf(rubric, 'choice').answer_prefix ?? '';
    // As a model writes on: a word is another token with the space before it.
    return /\S$/.test(prefix) ? ` ${nearest.label}` : nearest.label;
  },
};

type Labels = Pick<Rubric, 'labels'>;

const labelsOf = ({ labels }: Labels) => labels ?? [];

/** Tokens are compared as they are written: of a label's other spellings, one may be a token and that of another label none. */
const answersOf = (rubric: Labels): Answers =>
  new Map(labelsOf(rubric).map(({ label, score }) => [label.normalize('NFC'), score]));

/** The score of the label that a text is; null where it is none. "Yes." is "yes", but "a" is not "A". */
function saidIn(text: string, rubric: Labels): number | null {
  const form = (label: string) => (label.length === 1 ? label : label.toLowerCase()).normalize('NFC');
  const said = form(text.trim().replace(/[.!]$/, ''));
  return labelsOf(rubric).find(({ label }) => form(label) === said)?.score ?? null;
}

/**
 * Whether every label is among the tokens listed. Where the model was free to write anything, a label that is not there may be several
 * tokens, of which the first has its probability.
 */
function hasAll({ top_logprobs }: TokenLogprob, answers: Answers): boolean {
  const listed = new Set(top_logprobs.map(({ token }) => token.trim().normalize('NFC')));
  return answers.size > 0 && [...answers.keys()].every((label) => listed.has(label));
}

function isNearer(one: number, other: number, to: number): boolean {
  const [near, far] = [Math.abs(one - to), Math.abs(other - to)];
  return near < far || (near === far && one < other);
}
