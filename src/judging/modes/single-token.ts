import { renderMessages, templateOf } from '../messages.ts';
import { DIGITS } from '../options.ts';
import type { Mode } from './mode.ts';
import { readAnswer } from './one-answer.ts';

/** The reply is one token. The score is the most probable digit, whichever token was sampled. */
export const singleToken: Mode = {
  pairs: false,

  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'single_token', subject),
    answer_prefix: templateOf(rubric, 'single_token').answer_prefix,
    choices: [...DIGITS.keys()],
    max_tokens: 1,
  }),

  read(reply, scale) {
    const said = DIGITS.get(reply.content.trim()) ?? null;
    return readAnswer(reply, scale, { answers: DIGITS, said, named: 'digit', comparable: () => true });
  },

  answer: (_, { score }) => (score === null ? null : String(score)),
};
