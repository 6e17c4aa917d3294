import { z } from 'zod';
import { LoraSpec } from './lora.ts';
import { posInt } from './numbers.ts';
import { policyUpdate } from './policy-update.ts';
import { rolloutSampling } from './rollout-sampling.ts';

export const GrpoSpec = z.strictObject({
  steps: posInt('Optimizer steps.').default(60),
  prompts_per_step: posInt('Distinct prompts in one step.').default(8),
  num_generations: z.int().min(2).default(8).describe('Completions per prompt: the group.'),
  max_completion_tokens: posInt('Longest completion, tokens.').default(64),
  temperature: z
    .number()
    .gt(0)
    .max(2)
    .default(1)
    .describe('Sampling temperature of the rollouts; a group of equal completions teaches nothing.'),
  ...rolloutSampling,
  learning_rate: z.number().gt(0).lt(1).default(1e-6).describe('Highest learning rate.'),
  ...policyUpdate,
  beta: z.number().min(0).default(0).describe('Weight of the KL term against the initial policy.'),
  verifier_weight: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('w in w * verifier + (1 - w) * value/9, where the row has ground truth.'),
  opponents: posInt(
    'judge.mode pairwise: how many other completions of its group each is compared with, in both orders. null: with all.',
  )
    .nullable()
    .default(null),
  when_unscored: z
    .enum(['verifier', 'mask'])
    .default('verifier')
    .describe(
      "Where the judge gives no score. verifier: the reward is the verifier's word alone, where the row has ground truth and verifier_weight is above 0. Else, and with mask: the completion gives no advantage and counts in no mean.",
    ),
  lora: LoraSpec.nullable().default(null).describe('null trains all weights.'),
  micro_batch_size: posInt(
    'Completions in one forward and backward pass of one rank; null takes the most that fit on a GPU, and a whole step on the CPU.',
  )
    .nullable()
    .default(null),
  gradient_checkpointing: z
    .boolean()
    .default(true)
    .describe('Recompute activations in the backward pass to save memory.'),
  rollout: z
    .enum(['cached', 'served', 'transformers', 'vllm_colocate', 'vllm_server'])
    .default('cached')
    .describe(
      "How completions are sampled. cached: in the trainer's process; served: by vLLM servers that gavel starts on placement.rollout_gpus, each step's adapter under a name of its own; transformers: the library's own generate. The other two train all weights on GPUs and push them into a vLLM, as TRL does. vllm_colocate: in the trainer's process; vllm_server: in a server that gavel starts on placement.rollout_gpus.",
    ),
  max_staleness: z
    .int()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'rollout served: how many updates the sampling adapter may be behind the policy. With 1, a step is sampled and judged while the step before it is trained.',
    ),
  importance_sampling: z
    .enum(['none', 'token_truncate', 'token_mask', 'sequence_truncate', 'sequence_mask'])
    .default('sequence_mask')
    .describe(
      "Where vLLM samples: how TRL weighs completions by the ratio of the trainer's probability to the sampler's, per token or per completion, and what a ratio above importance_sampling_clip becomes: the clip (truncate) or 0 (mask).",
    ),
  importance_sampling_clip: z
    .number()
    .gt(1)
    .default(3)
    .describe('Largest ratio that importance_sampling lets through.'),
  drift_alarm: z
    .number()
    .gt(0)
    .nullable()
    .default(0.1)
    .describe(
      "rollout served: an alarm is raised when the log-probabilities of trainer and sampler differ by more than this (mean of absolute differences over a step's tokens, nats) in three steps in a row. null: never; nothing is compared with importance_sampling none.",
    ),
  dtype: z.enum(['float32', 'bfloat16']).default('float32').describe('bfloat16 trains in mixed precision.'),
  save_every: posInt('Steps between checkpoints.').default(10),
  keep_checkpoints: posInt('Newest checkpoints kept, besides first, middle, last and best.').default(3),
  processes: posInt(
    'Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.',
  ).default(1),
  sharding: z
    .enum(['ddp', 'fsdp2', 'zero2', 'zero3'])
    .default('ddp')
    .describe(
      'What several processes on GPUs hold. ddp: each all of the weights; fsdp2 and zero3: each a part of weights, gradients and optimizer; zero2: all of the weights, and a part of the rest. After the training each process loads the whole weights to sample the rows of the audit, so they must fit one GPU. zero2 and zero3 need the package deepspeed, which the lock files do not hold. `gavel fit SPEC --launch` shows what accelerate gets.',
    ),
  accelerate_args: z
    .array(z.string())
    .default([])
    .describe(
      'Further flags of accelerate launch, which outrank its configuration: offloading, wrapping, precision; a worker allows more with GAVEL_ALLOW_ARGS. Unused on the CPU and with one process.',
    ),
  report_to: z
    .array(z.enum(['tensorboard', 'trackio', 'wandb']))
    .default([])
    .describe(
      "Trackers that get TRL's figures of each step, as files in the folder of the attempt's epoch (docs/run-directory.md); wandb is offline. Each is a Python package that gavel's lock files do not hold.",
    ),
  seed: z.int().min(0).default(0).describe('Same seed and same verdicts, same weights.'),
});

export type GrpoSpec = z.output<typeof GrpoSpec>;
