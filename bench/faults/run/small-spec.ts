import { Spec } from '../../../src/contracts/spec/spec.ts';

/** The pipeline cut down to what a fault campaign can afford: real models and real parts, few prompts, short limits. */

export const SCENARIO_NAMES = ['outside', 'managed', 'whole', 'served'] as const;
export type Scenario = (typeof SCENARIO_NAMES)[number];

/** The stage that a pipeline ends with. */
export const lastStage = (scenario: Scenario): 'grpo' | 'sft' | 'audit' =>
  (({ outside: 'sft', managed: 'grpo', whole: 'audit', served: 'grpo' }) as const)[scenario];

/** Heartbeat timeout (s) and save interval (steps) that the targets are stated for. */
export const HEARTBEAT_S = 10;
export const SAVE_EVERY = 3;

export interface SmallSpec {
  run: string;
  scenario: Scenario;
  seed: number;
  steps: number;
  judge_url: string;
  /** Passes of SFT over its examples: more where more faults wait for it. */
  passes?: number;
}

const small = {
  serve: { dtype: 'float32', max_model_len: 256 },
  sampling: { temperature: 0, max_tokens: 64 },
  concurrency: 16,
  timeout_s: 30,
  outage_limit_s: 600,
} as const;

/** Completions of a step of `served` come from this many vLLM servers. */
const POLICY_SERVERS = 1;

const served = {
  policy: { serve: { dtype: 'float32', max_model_len: 256, data_parallel_size: POLICY_SERVERS }, outage_limit_s: 600 },
  grpo: { rollout: 'served', max_staleness: 1 },
} as const;

/**
 * `outside`: the judge is a real vLLM that the campaign serves; `managed`: gavel serves it; `whole`: with the audit; `served`: gavel
 * serves the policy, whose rollouts are sampled a step ahead, and the judge comes from outside.
 */
export function smallSpec({ run, scenario, seed, steps, judge_url, passes = 0.5 }: SmallSpec): Spec {
  return Spec.parse({
    run,
    task: { name: 'poly_easy', train_prompts: 24, eval_prompts: 8, audit_prompts: scenario === 'whole' ? 24 : 8, seed },
    policy: { model: 'models/poly-easy-policy', ...(scenario === 'served' && served.policy) },
    judge: {
      ...(scenario === 'managed'
        ? { engine: 'vllm', model: 'models/poly-easy-judge', serve: small.serve }
        : { engine: 'openai', model: 'poly-easy-judge', base_url: judge_url }),
      rubric: 'examples/rubrics/poly-easy.yaml',
      mode: 'reasoned',
      sampling: small.sampling,
      concurrency: 16,
      timeout_s: 30,
      outage_limit_s: 600,
    },
    base: { model: 'models/poly-easy-grader-base', ...small },
    grader: small,
    grpo: {
      steps,
      prompts_per_step: 2,
      num_generations: 4,
      max_completion_tokens: 40,
      learning_rate: 0.0005,
      lora: { r: 8, alpha: 16 },
      save_every: SAVE_EVERY,
      keep_checkpoints: 3,
      verifier_weight: 0.5,
      seed,
      ...(scenario === 'served' && served.grpo),
    },
    sft: {
      lora: { r: 4, alpha: 8 },
      modes: ['reasoned', 'single_token'],
      epochs: passes,
      learning_rate: 0.002,
      batch_size: 4,
      max_length: 256,
      holdout: 0.2,
      save_every: SAVE_EVERY,
      seed,
    },
    audit: {
      completions_per_prompt: 1,
      grader_modes: ['single_token'],
      headline_mode: 'single_token',
      base: false,
      gates: [],
    },
    // Servers of the policy run on the CPU where there are no GPUs, and the trainer then may have none either.
    placement: { trainer_gpus: scenario === 'served' ? 0 : 1 },
    limits: {
      heartbeat_timeout_s: HEARTBEAT_S,
      node_timeout_s: 20,
      progress_floor_s: 8,
      load_timeout_s: 90,
    },
  });
}
