import { digitsAt } from '../digits.ts';
import { renderMessages } from '../messages.ts';
import { reasoningOf } from '../reply.ts';
import { scoredBy } from '../value.ts';
import type { Mode } from './mode.ts';

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
    const sampled = /^[0-9]$/.test(text) ? Number(text) : null;
    return { ...scoredBy(sampled, token && digitsAt(token), scale), reasoning: reasoningOf(reply, '') };
  },
};
