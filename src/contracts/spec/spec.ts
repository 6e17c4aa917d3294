import { z } from 'zod';

/**
 * The spec: everything a person decides about a run. YAML for people, JSON on the wire.
 * Contracts use neither `.refine()` nor dates, because both vanish in JSON Schema; checks across
 * fields are in `check-spec.ts`.
 */

/** Run names become folder names and workflow ids, so they hold nothing that a path or a URL would read. */
export const RunName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/)
  .describe('Lower-case letters, digits, ".", "_" and "-", at most 63 of them, a letter or digit first.');

const posInt = (description: string) => z.int().min(1).describe(description);

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

export const LoraSpec = z.strictObject({
  r: posInt('Rank.').default(16),
  alpha: posInt('Scale; the update is multiplied by alpha / r.').default(32),
  dropout: z
    .number()
    .min(0)
    .max(0.9)
    .default(0)
    .describe('Share of the adapter inputs dropped in training; never in rollouts.'),
  target_modules: z
    .union([z.literal('all-linear'), z.array(z.string())])
    .default('all-linear')
    .describe('Layers that get an adapter.'),
});

export const VllmSpec = z.strictObject({
  dtype: z
    .enum(['auto', 'float32', 'bfloat16', 'float16'])
    .default('auto')
    .describe('Precision of the weights; auto takes that of the checkpoint.'),
  max_model_len: posInt('Context length, tokens.').nullable().default(null),
  tensor_parallel_size: posInt('GPUs that share one copy of the model.').default(1),
  data_parallel_size: posInt('Copies of the model.').default(1),
  gpu_memory_utilization: z
    .number()
    .gt(0)
    .max(1)
    .nullable()
    .default(null)
    .describe("Share of a GPU's memory that vLLM may take; null leaves it to vLLM."),
  extra_args: z.array(z.string()).default([]).describe('Flags handed to vLLM as they are.'),
});

export const SamplingSpec = z.strictObject({
  temperature: z.number().min(0).max(2).default(0).describe('0 always takes the likeliest token.'),
  top_p: z.number().gt(0).max(1).default(1).describe('Share of probability that is sampled from.'),
  max_tokens: posInt('Longest reply, tokens.').default(512),
});

export const GradingMode = z.enum(['reasoned', 'single_token']);

export const JudgeSpec = z.strictObject({
  model: z.string().min(1).describe('Model folder under GAVEL_ROOT, absolute path, or hub name.'),
  engine: z
    .enum(['vllm', 'openai'])
    .default('vllm')
    .describe('vllm: gavel serves it; openai: any OpenAI-compatible URL.'),
  base_url: z.url().nullable().default(null).describe('engine openai: the URL up to and including /v1.'),
  api_key_env: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]*$/)
    .nullable()
    .default(null)
    .describe('engine openai: name of the environment variable that holds the key. Never the key.'),
  rubric: z.string().min(1).describe('Rubric file (YAML).'),
  mode: GradingMode.default('reasoned').describe('reasoned: reasoning, then the score; single_token: one digit.'),
  votes: z.int().min(1).max(16).default(1).describe('Verdicts per completion; the score is their mean.'),
  sampling: SamplingSpec.prefault({}),
  concurrency: z.int().min(1).max(4096).default(64).describe('Grading calls in flight at once.'),
  timeout_s: z.number().gt(0).default(120).describe('One call to the model, seconds.'),
  outage_limit_s: z
    .number()
    .gt(0)
    .default(1800)
    .describe('How long grading waits for a judge that is away before the stage fails, resumable.'),
  vllm: VllmSpec.prefault({}),
});

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
    .describe('Of sampled completions; a group of like completions teaches nothing.'),
  learning_rate: z
    .number()
    .gt(0)
    .lt(1)
    .default(1e-6)
    .describe('Constant; a decaying rate would make a step depend on how many follow.'),
  beta: z.number().min(0).default(0).describe('Weight of the KL term against the initial policy.'),
  verifier_weight: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('w in w * verifier + (1 - w) * score/9, where the row has ground truth.'),
  confidence_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('A verdict less confident than this gives no reward.'),
  lora: LoraSpec.nullable().default(null).describe('null trains all weights.'),
  micro_batch_size: posInt('Completions in one forward and backward pass of one rank.').nullable().default(null),
  gradient_checkpointing: z
    .boolean()
    .default(true)
    .describe('Recompute activations in the backward pass to save memory.'),
  rollout: z
    .enum(['cached', 'transformers', 'vllm_colocate', 'vllm_server'])
    .default('cached')
    .describe('How completions are sampled; the vllm ones need a GPU and a vLLM that TRL supports.'),
  dtype: z.enum(['float32', 'bfloat16']).default('float32').describe('bfloat16 trains in mixed precision.'),
  save_every: posInt('Steps between checkpoints.').default(10),
  keep_checkpoints: posInt('Newest checkpoints kept, besides first, middle, last and best.').default(3),
  processes: posInt(
    'Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.',
  ).default(1),
  accelerate_args: z
    .array(z.string())
    .default([])
    .describe('Flags handed to accelerate launch as they are; on the CPU there is none.'),
  seed: z.int().min(0).default(0).describe('Same seed and same verdicts, same weights.'),
});

export const SftSpec = z.strictObject({
  base_model: z.string().min(1).describe('What the grader is trained from.'),
  lora: LoraSpec.prefault({}),
  qlora: z.boolean().default(false).describe('4-bit base weights; needs a GPU and bitsandbytes.'),
  modes: z
    .array(GradingMode)
    .min(1)
    .max(2)
    .default(['reasoned', 'single_token'])
    .describe('What the grader learns to do.'),
  epochs: z.number().gt(0).default(2).describe('Passes over the examples; may be a fraction.'),
  learning_rate: z.number().gt(0).lt(1).default(2e-4).describe('Of the adapter.'),
  batch_size: posInt('Examples per optimizer step.').default(32),
  max_examples: posInt('Traces used at most; null uses all.').nullable().default(null),
  max_length: posInt('Longest example, tokens.').default(2048),
  balance: z
    .enum(['none', 'oversample', 'weight'])
    .default('none')
    .describe('oversample: rare scores are repeated; weight: their loss counts more.'),
  holdout: z.number().gt(0).lt(0.5).default(0.1).describe('Share of prompts kept out to measure loss.'),
  dtype: z.enum(['float32', 'bfloat16']).default('float32').describe('bfloat16 trains in mixed precision.'),
  save_every: posInt('Steps between checkpoints.').default(50),
  processes: posInt(
    'Ranks; more than one goes through accelerate launch on GPUs, through torchrun on the CPU.',
  ).default(1),
  seed: z.int().min(0).default(0).describe('Same seed and same traces, same weights.'),
});

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
  temperature: z.number().min(0).max(2).default(1).describe('Of the sampled completions that are graded.'),
  grader_modes: z
    .array(GradingMode)
    .min(1)
    .max(2)
    .default(['single_token', 'reasoned'])
    .describe('Modes that the grader is measured in.'),
  headline_mode: GradingMode.default('single_token').describe('The mode that the measures and gates are about.'),
  base: z.boolean().default(true).describe('Grade with the untrained base model too.'),
  bootstrap_samples: z.int().min(100).max(100_000).default(2000).describe('Resamples of prompts for each interval.'),
  confidence: z.number().gt(0.5).lt(1).default(0.95).describe('Of each interval.'),
  gates: z
    .array(GateSpec)
    .default([
      { measure: 'fidelity.quadratic_weighted_kappa', at_least: 0.6 },
      { measure: 'truth.grader_minus_judge.balanced_accuracy', at_least: -0.05 },
      { measure: 'coverage.grader', at_least: 0.95 },
    ])
    .describe('Bounds that decide the verdict; an empty list decides nothing.'),
  seed: z.int().min(0).default(0).describe('Of the bootstrap.'),
});

export const PlacementSpec = z.strictObject({
  judge_gpus: z.int().min(0).default(0).describe("For the judge's vLLM: tensor_parallel_size x data_parallel_size."),
  trainer_gpus: z.int().min(0).default(0).describe('For training, one for each process.'),
  grader_gpus: z.int().min(0).default(0).describe('For each model that the audit serves.'),
});

export const LimitsSpec = z.strictObject({
  heartbeat_timeout_s: z.number().min(2).default(10).describe('Silence after which a worker counts as gone.'),
  node_timeout_s: z
    .number()
    .gt(0)
    .default(60)
    .describe('How long work waits for its node to take it up before another node is asked.'),
  model_start_timeout_s: z.number().gt(0).default(600).describe('Longest wait for a served model to answer.'),
  progress_floor_s: z
    .number()
    .gt(0)
    .default(300)
    .describe('Shortest silence of a trainer that may count as a hang; the deadline itself is learned from its steps.'),
  load_timeout_s: z
    .number()
    .gt(0)
    .default(1800)
    .describe('Longest silence while a trainer loads, before it has shown how long its steps take.'),
  max_errors_without_progress: posInt('Attempts that end by error without a commit before NoProgress.').default(3),
});

export const Spec = z.strictObject({
  run: RunName.describe('Name of the run and of its folder.'),
  task: TaskSpec,
  policy: z.strictObject({
    model: z.string().min(1).describe('Model folder under GAVEL_ROOT, absolute path, or hub name.'),
  }),
  judge: JudgeSpec,
  grpo: GrpoSpec.prefault({}),
  sft: SftSpec,
  audit: AuditSpec.prefault({}),
  placement: PlacementSpec.prefault({}),
  limits: LimitsSpec.prefault({}),
});

export type Spec = z.output<typeof Spec>;
export type SpecInput = z.input<typeof Spec>;
export type JudgeSpec = z.output<typeof JudgeSpec>;
export type VllmSpec = z.output<typeof VllmSpec>;
export type GradingMode = z.output<typeof GradingMode>;
export type LimitsSpec = z.output<typeof LimitsSpec>;
export type PlacementSpec = z.output<typeof PlacementSpec>;
