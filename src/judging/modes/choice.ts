import type { Rubric } from '../../contracts/rubric.ts';
import { renderMessages, templateOf } from '../messages.ts';
import type { Answers } from '../options.ts';
import type { Mode } from './mode.ts';
import { after, answerIn, hasAll, readAnswer } from './one-answer.ts';

/** Enough for a label that a model's vocabulary cuts into pieces. */
const MAX_TOKENS = 8;

/** The reply is one of the rubric's labels. The score is that of the most probable label, whichever was sampled. */
export const choice: Mode = {
  pairs: false,

  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'choice', subject),
    answer_prefix: templateOf(rubric, 'choice').answer_prefix,
    choices: labelsOf(rubric).map(({ label }) => label),
    max_tokens: MAX_TOKENS,
  }),

  read(reply, scale) {
    const answers = answersOf(scale);
    return readAnswer(reply, scale, {
      answers,
      said: answerIn(reply.content, answers),
      named: 'label',
      comparable: (token) => reply.forced || hasAll(token, answers),
    });
  },

  /** The label of the nearest score on the same side of the threshold, of two that are as near the lower one. */
  answer(rubric, { score }) {
    if (score === null) return null;
    const passes = (value: number) => value >= rubric.threshold;
    const side = labelsOf(rubric).filter((each) => passes(each.score) === passes(score));
    const nearest = side.reduce((best, each) => (isNearer(each.score, best.score, score) ? each : best));
    return after(templateOf(rubric, 'choice').answer_prefix, nearest.label);
  },
};

type Labels = Pick<Rubric, 'labels'>;

const labelsOf = ({ labels }: Labels) => labels ?? [];

/** Tokens are compared as they are written: of a label's other spellings, one may be a token and that of another label none. */
const answersOf = (rubric: Labels): Answers =>
  new Map(labelsOf(rubric).map(({ label, score }) => [label.normalize('NFC'), score]));

function isNearer(one: number, other: number, to: number): boolean {
  const [near, far] = [Math.abs(one - to), Math.abs(other - to)];
  return near < far || (near === far && one < other);
}
