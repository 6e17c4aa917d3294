import { z } from 'zod';

/** What came of one grading call, or of a panel's votes together. */

export const VerdictKind = z
  .enum(['scored', 'unparseable', 'off_scale', 'low_confidence', 'abstained', 'refused', 'failed'])
  .describe(
    "scored: with a score or, of a pair, a preference. Without: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed).",
  );

/** How a value was made. */
export const ValueRule = z.enum(['expectation', 'score']);

/** Probabilities of the scores 0 to 9. */
export const Distribution = z.array(z.number().min(0).max(1)).length(10);

/** The answers of mode pairwise: `A` is the subject's completion and `B` its opponent, whichever the judge was shown first. */
export const PairLabel = z.enum(['A', 'B', 'tie']);

/** Which completion of a pair the judge was shown first: A (`ab`) or B (`ba`). Each pair is asked in both orders. */
export const PairOrder = z.enum(['ab', 'ba']);

/** What a verdict says of a pair, in place of a score. */
export const Preference = z.strictObject({
  label: PairLabel.describe(
    'The completion that is better. Of several votes: tie, where the two orders do not say the same.',
  ),
  distribution: z
    .strictObject({
      A: z.number().min(0).max(1),
      B: z.number().min(0).max(1),
      tie: z.number().min(0).max(1),
    })
    .nullable()
    .describe('Renormalised probabilities of the labels, the mean of both orders; null: not known.'),
  win: z
    .number()
    .min(0)
    .max(1)
    .describe('How far A beats B: probability of A and half of that of a tie; without probabilities, of the labels.'),
  order: z
    .enum([...PairOrder.options, 'consistent', 'first', 'second'])
    .describe(
      'Of one vote, the order in which it was shown the pair. Of a verdict, what both orders say together: consistent (the same), first or second (the judge prefers what stands there).',
    ),
});

/** The fields of a verdict, which traces, grades and verdict rows share. */
export const verdictFields = {
  verdict: VerdictKind,
  score: z
    .int()
    .min(0)
    .max(9)
    .nullable()
    .describe('The most probable digit; null unless verdict is scored, and for a pair.'),
  value: z
    .number()
    .min(0)
    .max(9)
    .nullable()
    .describe('Expectation over the ten digits, or the score where there is no distribution; null without a score.'),
  value_rule: ValueRule.nullable().describe('Which of the two `value` is; null without a score.'),
  p_pass: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe("Probability of a score at or above the rubric's threshold; 1 or 0 where there is no distribution."),
  confidence: z.number().min(0).max(1).nullable().describe('Probability of the most probable digit among the ten.'),
  distribution: Distribution.nullable().describe('Renormalised probabilities of the scores 0 to 9; null: not known.'),
  off_scale_mass: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .describe('Probability outside the digits seen, before renormalising; null: the server gave none.'),
  preference: Preference.nullable()
    .optional()
    .describe('Of a scored pair, which has no score, value and p_pass; else absent.'),
};

export const Verdict = z.strictObject(verdictFields);

export type VerdictKind = z.output<typeof VerdictKind>;
export type Verdict = z.output<typeof Verdict>;
export type Preference = z.output<typeof Preference>;
export type PairLabel = z.output<typeof PairLabel>;
export type PairOrder = z.output<typeof PairOrder>;
