import type { Rubric } from '../../contracts/rubric.ts';
import { renderMessages, templateOf } from '../messages.ts';
import { type Answers, optionsAt } from '../options.ts';
import { type Reply, reasoningOf } from '../reply.ts';
import { scoredBy, unscored } from '../value.ts';
import type { Mode } from './mode.ts';

/** Enough for a label that a model's vocabulary cuts into pieces. */
const MAX_TOKENS = 8;

const NO_PROBABILITIES =
  'The server constrained the reply to the labels and returned no log-probabilities, so nothing tells whether the model would have given a label.';

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
    const said = answers.get(plain(reply.content)) ?? null;
    const token = reply.logprobs?.find((position) => position.token.trim() !== '') ?? null;
    // A forced label does not show that the model would have chosen a label.
    if (reply.forced && token === null) return { ...unscored('unparseable'), reasoning: NO_PROBABILITIES };
    const options = token && isWhole(token.token, reply) ? optionsAt(token, answers) : null;
    return { ...scoredBy(said, options, scale), reasoning: reasoningOf(reply, '') };
  },

  /** The label of the nearest score on the same side of the threshold, of two that are as near the lower one. */
  answer(rubric, score) {
    const passes = (value: number) => value >= rubric.threshold;
    const side = labelsOf(rubric).filter((each) => passes(each.score) === passes(score));
    const nearest = side.reduce((best, each) => (isNearer(each.score, best.score, score) ? each : best));
    return nearest.label;
  },
};

const labelsOf = ({ labels }: Pick<Rubric, 'labels'>) => labels ?? [];

/** "Yes." and "yes" are one answer. */
const plain = (text: string): string => text.trim().replace(/[.!]$/, '').toLowerCase();

function answersOf(scale: Pick<Rubric, 'labels'>): Answers {
  const spelled = labelsOf(scale).flatMap(({ label, score }) =>
    // Tokens are compared as they are written, and models begin an answer with a capital.
    [...new Set([label, label.toLowerCase(), capital(label)])].map((text) => [text, score] as const),
  );
  return new Map(spelled);
}

const capital = (label: string): string => label.charAt(0).toUpperCase() + label.slice(1).toLowerCase();

/** Whether the first token is all of the answer: the probabilities of a piece are not those of a label. */
const isWhole = (token: string, { content, forced }: Reply): boolean =>
  forced || token.trim().toLowerCase() === plain(content);

function isNearer(one: number, other: number, to: number): boolean {
  const [near, far] = [Math.abs(one - to), Math.abs(other - to)];
  return near < far || (near === far && one < other);
}
