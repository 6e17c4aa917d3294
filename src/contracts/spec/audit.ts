import { z } from 'zod';
import { GradingMode } from '../mode.ts';
import { posInt } from './numbers.ts';

export const GateSpec = z.strictObject({
  measure: z
    .enum([
      'fidelity.quadratic_weighted_kappa',
      'fidelity.exact',
      'fidelity.within_1',
      'truth.grader.balanced_accuracy',
      'truth.grader_minus_judge.balanced_accuracy',
      'teacher_wrong.grader_follows_truth',
      'coverage.grader',
    ])
    .describe('Path of a measure in audit.json.'),
  at_least: z.number().describe('The bound of the interval on the wrong side must not be below this.'),
});

export const AuditSpec = z.strictObject({
  completions_per_prompt: posInt('Samples from each of the three checkpoints for each audit prompt.').default(2),
  temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature of the completions that are graded.'),
  grader_modes: z
    .array(GradingMode)
    .min(1)
    .max(2)
    .default(['single_token', 'reasoned'])
    .describe('Modes that the grader is measured in.'),
  headline_mode: GradingMode.default('single_token').describe('The mode that the measures and gates are about.'),
  base: z.boolean().default(true).describe('Grade with the untrained base model too.'),
  bootstrap_samples: z.int().min(100).max(100_000).default(2000).describe('Resamples of prompts for each interval.'),
  confidence: z.number().gt(0.5).lt(1).default(0.95).describe('Confidence level of each interval.'),
  gates: z
    .array(GateSpec)
    .default([
      { measure: 'fidelity.quadratic_weighted_kappa', at_least: 0.6 },
      { measure: 'truth.grader_minus_judge.balanced_accuracy', at_least: -0.05 },
      { measure: 'coverage.grader', at_least: 0.95 },
    ])
    .describe('Bounds that decide the verdict; an empty list decides nothing.'),
  seed: z.int().min(0).default(0).describe('Seed of the bootstrap.'),
});
