import type { GradingMode } from '../contracts/mode.ts';
import type { Trace } from '../contracts/trace.ts';
import { digitsAt, type TokenLogprob } from './digits.ts';

/** What a model server sent back, cut down to what a verdict is made of. */
export interface Reply {
  content: string;
  /** Thinking that a server keeps apart from the content. */
  reasoning_content: string | null;
  refusal: string | null;
  finish_reason: string | null;
  /** null: the server sent none. */
  logprobs: TokenLogprob[] | null;
}

export type Verdict = Pick<
  Trace,
  'verdict' | 'score' | 'expectation' | 'distribution' | 'off_digit_mass' | 'reasoning'
> & { confidence: number | null };

const LAST_SCORE = /score\s*:/gi;
/** What may follow the last "Score:" - one digit, with the emphasis, full stop or "/9" that chat models like to add. */
const SCORE_TAIL = /^[\s*_"'`([]*([0-9])(?:\s*\/\s*9)?[\s*_"'`)\].]*$/;
const ABSTAIN_TAIL = /^[\s*_"'`([]*(?:abstain(?:ed)?|n\/?a|none)[\s*_"'`)\].]*$/i;

const UNSCORED = { score: null, expectation: null, confidence: null, distribution: null, off_digit_mass: null };

/** Turns a reply into a typed verdict. What is no score is never a number. */
export function parseReply(reply: Reply, mode: GradingMode): Verdict {
  const refused = reply.refusal || reply.finish_reason === 'content_filter';
  if (refused) return { verdict: 'refused', ...UNSCORED, reasoning: reply.refusal || thinkingOf(reply, reply.content) };
  return mode === 'single_token' ? parseSingleToken(reply) : parseReasoned(reply);
}

function parseReasoned(reply: Reply): Verdict {
  const start = [...reply.content.matchAll(LAST_SCORE)].at(-1);
  if (!start) return { verdict: 'unparseable', ...UNSCORED, reasoning: thinkingOf(reply, reply.content) };
  const tail = reply.content.slice(start.index + start[0].length);
  const reasoning = thinkingOf(reply, reply.content.slice(0, start.index));
  if (ABSTAIN_TAIL.test(tail)) return { verdict: 'abstained', ...UNSCORED, reasoning };
  const match = SCORE_TAIL.exec(tail);
  if (!match) return { verdict: 'unparseable', ...UNSCORED, reasoning: thinkingOf(reply, reply.content) };

  const digit = match[1] as string;
  const inSuffix = start[0].length + tail.indexOf(digit);
  const position = positionOf(reply.logprobs, reply.content.slice(start.index), inSuffix, digit);
  const digits = position === null ? null : digitsAt(position);
  return {
    verdict: 'scored',
    score: Number(digit),
    expectation: digits?.expectation ?? null,
    confidence: digits?.confidence ?? null,
    distribution: digits?.distribution ?? null,
    off_digit_mass: digits?.off_digit_mass ?? null,
    reasoning,
  };
}

/** One token. With logprobs the score is the most probable digit, whichever token was sampled. */
function parseSingleToken(reply: Reply): Verdict {
  const reasoning = thinkingOf(reply, '');
  const text = reply.content.trim();
  const first = reply.logprobs?.find(({ token }) => token.trim() !== '') ?? null;
  const digits = first && digitsAt(first);
  const sampled = /^[0-9]$/.test(text) ? Number(text) : null;
  const score = digits?.argmax ?? sampled;
  if (score === null) {
    return { verdict: 'unparseable', ...UNSCORED, off_digit_mass: digits?.off_digit_mass ?? null, reasoning };
  }
  return {
    verdict: 'scored',
    score,
    expectation: digits?.expectation ?? null,
    confidence: digits?.confidence ?? null,
    distribution: digits?.distribution ?? null,
    off_digit_mass: digits?.off_digit_mass ?? null,
    reasoning,
  };
}

function thinkingOf(reply: Reply, before: string): string | null {
  const parts = [reply.reasoning_content, before].map((part) => part?.trim()).filter(Boolean);
  return parts.length > 0 ? parts.join('\n') : null;
}

/**
 * The token that is the score's digit, or null where it cannot be told. `suffix` is the reply from its last "Score:"
 * on; it is looked for from the end, because thinking and cut-up characters make the tokens before it differ from the text.
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
