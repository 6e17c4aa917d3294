import type { Verdict } from '../../src/contracts/verdict.ts';
import type { TokenLogprob } from '../../src/judging/options.ts';
import type { Reply } from '../../src/judging/reply.ts';
import { type Scale, scoredBy, unscored } from '../../src/judging/value.ts';

/** Replies and votes as a model server and a mode make them. */

export const scale: Scale = { threshold: 5, max_off_scale_mass: 0.5 };

export const said = (content: string, more: Partial<Reply> = {}): Reply => ({
  content,
  reasoning_content: null,
  refusal: null,
  finish_reason: 'stop',
  forced: false,
  logprobs: null,
  ...more,
});

export const at = (token: string, shares: Record<string, number>): TokenLogprob => ({
  token,
  logprob: Math.log(shares[token] ?? 0.001),
  top_logprobs: Object.entries(shares).map(([text, share]) => ({ token: text, logprob: Math.log(share) })),
});

/** Ten digits of which `share` goes to `digit`; the rest is evenly spread. */
export const sure = (digit: number, share: number): Record<string, number> =>
  Object.fromEntries([...'0123456789'].map((name) => [name, Number(name) === digit ? share : (1 - share) / 9]));

/** Some tokens by share, and every digit that is not among them with next to nothing. */
export const withTraces = (shares: Record<string, number>): Record<string, number> => ({
  ...Object.fromEntries([...'0123456789'].map((digit) => [digit, 1e-6])),
  ...shares,
});

export const vote = (score: number, distribution: number[] | null = null): Verdict =>
  scoredBy(
    score,
    distribution && { argmax: score, distribution, confidence: Math.max(...distribution), off_scale_mass: 0 },
    scale,
  );

export { unscored };
