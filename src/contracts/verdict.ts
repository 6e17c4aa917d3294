import { z } from 'zod';

/** What came of one grading call, or of a panel's votes together. */

export const VerdictKind = z
  .enum(['scored', 'unparseable', 'off_scale', 'low_confidence', 'abstained', 'refused', 'failed'])
  .describe(
    "Without a score: unparseable (no score in the reply), off_scale (too much probability outside the digits), low_confidence (below the panel's threshold), abstained (the model's own word), refused, failed (this call keeps failing while others succeed).",
  );

/** How a value was made. */
export const ValueRule = z.enum(['expectation', 'score']);

/** Probabilities of the scores 0 to 9. */
export const Distribution = z.array(z.number().min(0).max(1)).length(10);

/** The fields of a verdict, which traces, grades and verdict rows share. */
export const verdictFields = {
  verdict: VerdictKind,
  score: z.int().min(0).max(9).nullable().describe('The most probable digit; null unless verdict is scored.'),
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
};

export const Verdict = z.strictObject(verdictFields);

export type VerdictKind = z.output<typeof VerdictKind>;
export type Verdict = z.output<typeof Verdict>;
