import { renderMessages, templateOf } from '../messages.ts';
import { DIGITS, optionsAt } from '../options.ts';
import { reasoningOf } from '../reply.ts';
import { scoredBy, unscored } from '../value.ts';
import type { Mode } from './mode.ts';

const NO_PROBABILITIES =
  'The server constrained the reply to the digits and returned no log-probabilities, so nothing tells whether the model would have given a digit.';

/** The reply is one token. The score is the most probable digit, whichever token was sampled. */
export const singleToken: Mode = {
  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'single_token', subject),
    answer_prefix: templateOf(rubric, 'single_token').answer_prefix,
    choices: [...DIGITS.keys()],
    max_tokens: 1,
  }),

  read(reply, scale) {
    const text = reply.content.trim();
    const token = reply.logprobs?.find((position) => position.token.trim() !== '') ?? null;
    // A forced digit does not show that the model would have chosen a digit.
    if (reply.forced && token === null) return { ...unscored('unparseable'), reasoning: NO_PROBABILITIES };
    return {
      ...scoredBy(DIGITS.get(text) ?? null, token && optionsAt(token, DIGITS), scale),
      reasoning: reasoningOf(reply, ''),
    };
  },

  answer: (_, score) => String(score),
};
