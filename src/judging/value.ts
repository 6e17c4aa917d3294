import { Rubric } from '../contracts/rubric.ts';
import type { Verdict, VerdictKind } from '../contracts/verdict.ts';
import type { Options } from './options.ts';

/** Fields of a rubric that turn probabilities into a verdict. */
export type Scale = Pick<Rubric, 'threshold' | 'max_off_scale_mass' | 'labels'> & {
  modes?: Pick<Rubric['modes'], 'pairwise'>;
};

/** Defaults of a rubric, for replies to chats, which have none. */
export const PLAIN_SCALE: Scale = {
  threshold: Rubric.shape.threshold.parse(undefined),
  max_off_scale_mass: Rubric.shape.max_off_scale_mass.parse(undefined),
};

export const NO_SCORE = { score: null, value: null, value_rule: null, p_pass: null } as const;

/** A verdict without a score, and without any number in its place. */
export function unscored(verdict: Exclude<VerdictKind, 'scored'>): Verdict {
  return { verdict, ...NO_SCORE, confidence: null, distribution: null, off_scale_mass: null };
}

/** What a verdict keeps of the probabilities at its place; null: not known. */
export const seenIn = (options: Options | null): Pick<Verdict, 'confidence' | 'distribution' | 'off_scale_mass'> => ({
  confidence: options?.confidence ?? null,
  distribution: options?.distribution ?? null,
  off_scale_mass: options?.off_scale_mass ?? null,
});

/** The verdict of one reply, from the score sampled (null: none) and the probabilities at its place (null: not known). */
export function scoredBy(sampled: number | null, options: Options | null, scale: Scale): Verdict {
  const seen = seenIn(options);
  // What the answers hold below the limit is noise, and renormalising would make a score of it.
  if (options !== null && options.off_scale_mass > scale.max_off_scale_mass)
    return { ...unscored('off_scale'), ...seen };
  const score = options?.argmax ?? sampled;
  if (score === null) return { ...unscored('unparseable'), ...seen };
  return { verdict: 'scored', score, ...valueBy(score, seen.distribution), ...passBy(score, seen, scale), ...seen };
}

function valueBy(score: number, distribution: number[] | null): Pick<Verdict, 'value' | 'value_rule'> {
  if (distribution === null) return { value: score, value_rule: 'score' };
  const mean = distribution.reduce((sum, share, digit) => sum + share * digit, 0);
  return { value: Math.min(9, mean), value_rule: 'expectation' };
}

function passBy(
  score: number,
  { distribution }: Pick<Verdict, 'distribution'>,
  { threshold }: Scale,
): Pick<Verdict, 'p_pass'> {
  if (distribution === null) return { p_pass: score >= threshold ? 1 : 0 };
  return {
    p_pass: Math.min(
      1,
      distribution.slice(threshold).reduce((sum, share) => sum + share, 0),
    ),
  };
}
