import { z } from 'zod';
import { posInt } from './numbers.ts';

export const TaskSpec = z.strictObject({
  name: z.enum(['poly_easy', 'gsm8k', 'jsonl']).describe('Which data set module makes the prompts.'),
  path: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      'File or folder of the data, under GAVEL_ROOT or absolute; null where the task makes its own data or asks the hub.',
    ),
  params: z.record(z.string(), z.unknown()).default({}).describe('Difficulty and other settings of the task module.'),
  train_prompts: posInt('Prompts that GRPO trains on.').default(1024),
  eval_prompts: posInt('Held-out prompts that measure the policy before and after.').default(200),
  audit_prompts: posInt('Held-out prompts whose completions the audit grades.').default(100),
  seed: z.int().min(0).default(0).describe('Same seed, same prompts and splits.'),
});
