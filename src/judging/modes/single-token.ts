import { digitsAt } from '../digits.ts';
import { renderMessages } from '../messages.ts';
import { reasoningOf } from '../reply.ts';
import { scoredBy, unscored } from '../value.ts';
import type { Mode } from './mode.ts';

const NO_PROBABILITIES =
  'The server constrained the reply to the digits and returned no log-probabilities, so nothing tells whether the model would have given a digit.';

/** The reply is one token. The score is the most probable digit, whichever token was sampled. */
export const singleToken: Mode = {
  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'single_token', subject),
    answer_prefix: rubric.modes.single_token.answer_prefix,
    choices: [...'0123456789'],
    max_tokens: 1,
  }),

  read(reply, scale) {
    const text = reply.content.trim();
    const token = reply.logprobs?.find((position) => position.token.trim() !== '') ?? null;
    // A forced digit does not show that the model would have chosen a digit.
    if (reply.forced && token === null) return { ...unscored('unparseable'), reasoning: NO_PROBABILITIES };
    const sampled = /^[0-9]$/.test(text) ? Number(text) : null;
    return { ...scoredBy(sampled, token && digitsAt(token), scale), reasoning: reasoningOf(reply, '') };
  },
};
