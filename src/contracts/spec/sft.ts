import { z } from 'zod';
import { GradingMode } from '../mode.ts';
import { LoraSpec } from './lora.ts';
import { posInt } from './numbers.ts';

export const SftSpec = z.strictObject({
  lora: LoraSpec.prefault({}),
  qlora: z.boolean().default(false).describe('4-bit base weights; needs a GPU and bitsandbytes.'),
  modes: z
    .array(GradingMode)
    .min(1)
    .max(GradingMode.options.length)
    .default(['reasoned', 'single_token'])
    .describe('What the grader learns to do.'),
  epochs: z.number().gt(0).default(2).describe('Passes over the examples; may be a fraction.'),
  learning_rate: z.number().gt(0).lt(1).default(2e-4).describe('Learning rate of the adapter.'),
  batch_size: posInt('Examples per optimizer step.').default(32),
  max_examples: posInt('Traces used at most; null uses all.').nullable().default(null),
  max_length: posInt('Longest example, tokens.').default(2048),
  train_sampling_strategy: z
    .enum(['group_by_length', 'random'])
    .default('group_by_length')
    .describe('How examples share a batch. group_by_length: those of like length, for little padding.'),
  balance: z
    .enum(['none', 'oversample', 'weight'])
    .default('none')
    .describe('oversample: rare scores are repeated; weight: their loss counts more.'),
  targets: z
    .enum(['score', 'distribution'])
    .default('score')
    .describe(
      "What an answer is taught towards. score: the judge's score alone; distribution: the judge's probabilities of all scores (soft targets), where a trace has them.",
    ),
  contradicted: z
    .enum(['keep', 'drop', 'weight'])
    .default('keep')
    .describe(
      'Traces in which the judge passes what the verifier fails, or fails what it passes. keep: taught like others; drop: left out; weight: their loss counts contradicted_weight times as much. A trace whose prompt has no ground truth is kept.',
    ),
  contradicted_weight: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.25)
    .describe('contradicted weight: what the loss of such a trace is multiplied by, before weights average to 1.'),
  holdout: z.number().gt(0).lt(0.5).default(0.1).describe('Share of prompts kept out to measure loss.'),
  dtype: z
    .enum(['auto', 'float32', 'bfloat16'])
    .default('auto')
    .describe('bfloat16 trains in mixed precision. auto: bfloat16 on GPUs that compute in it, else float32.'),
  save_every: posInt('Steps between checkpoints.').default(50),
  keep_checkpoints: posInt('Newest checkpoints kept.').default(3),
  processes: posInt(
    'Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.',
  ).default(1),
  seed: z.int().min(0).default(0).describe('Same seed and same traces, same weights.'),
});

export type SftSpec = z.output<typeof SftSpec>;
