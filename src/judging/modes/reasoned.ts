import { type FinalScore, finalScore } from '../final-score.ts';
import { renderMessages, templateOf } from '../messages.ts';
import { DIGITS, type Options, optionsAt, type TokenLogprob } from '../options.ts';
import { type Reply, reasoningOf } from '../reply.ts';
import { scoredBy, unscored } from '../value.ts';
import type { Mode } from './mode.ts';

/** The reply reasons, then ends in "Score: N". */
export const reasoned: Mode = {
  pairs: false,

  build: (rubric, subject) => ({
    messages: renderMessages(rubric, 'reasoned', subject),
    answer_prefix: templateOf(rubric, 'reasoned').answer_prefix,
    choices: null,
    max_tokens: null,
  }),

  read(reply, scale) {
    const found = finalScore(reply.content, { cut_off: reply.finish_reason === 'length' });
    if (found === null) return { ...unscored('unparseable'), reasoning: reasoningOf(reply, reply.content) };
    const reasoning = reasoningOf(reply, reply.content.slice(0, found.start));
    if (found.digit === null) return { ...unscored('abstained'), reasoning };
    return { ...scoredBy(found.digit, digitsOf(reply, found), scale), reasoning };
  },

  answer: () => null,
};

function digitsOf({ content, logprobs }: Reply, { start, at, digit }: FinalScore): Options | null {
  const position = positionOf(logprobs, content.slice(start), at - start, String(digit));
  return position && optionsAt(position, DIGITS);
}

/**
 * The token that is the score's digit, or null where it cannot be told. `suffix` is the reply from its final score on;
 * it is looked for from the end, because thinking and cut-up characters make the tokens before it differ from the text.
 */
function positionOf(tokens: TokenLogprob[] | null, suffix: string, at: number, digit: string): TokenLogprob | null {
  if (!tokens) return null;
  const found = tokens
    .map(({ token }) => token)
    .join('')
    .lastIndexOf(suffix);
  if (found < 0) return null;
  let end = 0;
  for (const token of tokens) {
    end += token.token.length;
    if (end > found + at) return token.token.trim() === digit ? token : null;
  }
  return null;
}
