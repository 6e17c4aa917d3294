import { z } from 'zod';
import { GradingMode } from '../mode.ts';
import { posInt } from './numbers.ts';

export const GateSpec = z.strictObject({
  id: z
    .string()
    .min(1)
    .describe(
      'part.role.mode.measure of a record in audit.json, where * stands for any text and the mode `headline` for audit.headline_mode. Every record that it matches must pass; without a match, or where it is also about what has no record, the gate is INCONCLUSIVE.',
    ),
  slice: z
    .string()
    .min(1)
    .default('all')
    .describe('all, or FIELD=VALUE, where * stands for any text; it never matches all.'),
  at_least: z.number().nullable().default(null).describe('The low bound of the interval must not be below this.'),
  at_most: z
    .number()
    .nullable()
    .default(null)
    .describe('The high bound of the interval must not be above this. A gate has this or at_least.'),
});

export const AuditSpec = z.strictObject({
  completions_per_prompt: posInt('Samples from each of the three checkpoints for each audit prompt.').default(2),
  temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature of the completions that are graded.'),
  grader_modes: z
    .array(GradingMode)
    .min(1)
    .max(GradingMode.options.length)
    .default(['single_token', 'reasoned'])
    .describe('Modes that the grader is measured in.'),
  headline_mode: GradingMode.default('single_token').describe('The mode that the measures and gates are about.'),
  base: z.boolean().default(true).describe('Grade with the untrained base model too.'),
  confidence: z.number().gt(0.5).lt(1).default(0.95).describe('Confidence level of each interval.'),
  slices: z
    .array(z.string().min(1))
    .default(['kind', 'checkpoint', 'prompt_length', 'score'])
    .describe(
      "Fields that the rows are sliced by: checkpoint (where a completion comes from), prompt_length (quarters), score (the judge's), or a field of the rows; a field that no row has is left out.",
    ),
  gates: z
    .array(GateSpec)
    .default([
      { id: 'fidelity.grader.headline.quadratic_weighted_kappa', slice: 'all', at_least: 0.6, at_most: null },
      {
        id: 'teacher_wrong.grader.headline.balanced_accuracy_difference',
        slice: 'all',
        at_least: -0.05,
        at_most: null,
      },
      { id: 'coverage.grader.headline.scored', slice: 'all', at_least: 0.95, at_most: null },
      { id: 'coverage.judge.*.scored', slice: 'all', at_least: 0.95, at_most: null },
    ])
    .describe('Bounds that decide the verdict; an empty list decides nothing.'),
});

/** A gate bounds its measure on one side. */
export const hasOneBound = ({ at_least, at_most }: GateSpec): boolean => (at_least === null) !== (at_most === null);

export type GateSpec = z.output<typeof GateSpec>;
