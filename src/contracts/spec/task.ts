import { z } from 'zod';
import { posInt } from './numbers.ts';

const TaskName = z.enum(['poly_easy', 'gsm8k', 'svamp', 'gsm_plus', 'jsonl', 'reasoning_gym']);

const dataPath = () => z.string().min(1).nullable().default(null);
const seed = () => z.int().min(0).default(0);
const params = () => z.record(z.string(), z.unknown()).default({});

/** A task that the policy is not trained on, and whose problems measure it beside its own held-out ones. */
export const EvaluateOn = z.strictObject({
  name: TaskName.describe('As task.name.'),
  label: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,39}$/)
    .nullable()
    .default(null)
    .describe('What report and metrics call it; null: its name. No two of the list have the same.'),
  path: dataPath().describe('As task.path.'),
  params: params().describe('As task.params. Verifier none is refused: nothing would be measured.'),
  prompts: posInt('Problems, from the part that the task holds out for audits.').default(200),
  seed: seed().describe('As task.seed.'),
});

export const TaskSpec = z.strictObject({
  name: TaskName.describe('Which data set module makes the prompts. docs/tasks.md describes each.'),
  path: dataPath().describe(
    'File or folder of the data, under GAVEL_ROOT or absolute; null where the task makes its own data or asks the hub.',
  ),
  params: params().describe('Difficulty and other settings of the task module, and its verifier.'),
  train_prompts: posInt('Prompts that GRPO trains on.').default(1024),
  eval_prompts: posInt('Held-out prompts that measure the policy before and after.').default(200),
  audit_prompts: posInt('Held-out prompts whose completions the audit grades.').default(100),
  seed: seed().describe('Same seed, same prompts and splits.'),
  unlabelled_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'Share of the training prompts whose ground truth is hidden from verifier and judge: there the judge alone rewards.',
    ),
  evaluate_on: z
    .array(EvaluateOn)
    .max(8)
    .default([])
    .describe('Further tasks whose problems measure the policy before and after, beside its own held-out prompts.'),
});

export type TaskSpec = z.output<typeof TaskSpec>;
