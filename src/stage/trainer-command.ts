import { join } from 'node:path';
import { ACCELERATE_FLAGS, argsProblem, refusedArgs } from '../contracts/spec/flags.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { invalidSpec } from '../failures.ts';
import { launchConfig } from './launch-config.ts';

/** Arguments for `python` that run one stage, and the variables that place it. */
export interface TrainerCommand {
  args: string[];
  env: Record<string, string>;
  /** A file that has to be there before it starts. */
  config: { path: string; text: string } | null;
}

/** Ranks that a stage runs as; the audit computes in one process. */
export function ranksOf(stage: 'grpo' | 'sft' | 'audit', spec: Spec): number {
  return stage === 'audit' ? 1 : spec[stage].processes;
}

/** The Python module that runs each stage. */
const MODULE = {
  grpo: 'gavel_train.policy.grpo',
  sft: 'gavel_train.grader.train',
  audit: 'gavel_train.audit',
} as const;

/**
 * `python -m MODULE EPOCH_DIR`; several ranks go through `accelerate launch` on GPUs and through torchrun on the CPU,
 * where `accelerate launch` starts one process whatever it is asked for.
 */
export function trainerCommand(
  stage: 'grpo' | 'sft' | 'audit',
  spec: Spec,
  epochDir: string,
  gpus: string[],
  allow_args: string[],
): TrainerCommand {
  const refused = refusedArgs(spec.grpo.accelerate_args, ACCELERATE_FLAGS, allow_args);
  if (refused.length > 0) {
    throw invalidSpec([{ field: 'grpo.accelerate_args', message: argsProblem(refused, ACCELERATE_FLAGS) }]);
  }
  const ranks = ranksOf(stage, spec);
  const module = ['-m', MODULE[stage], epochDir];
  // One process that sees several GPUs makes transformers' Trainer split each batch over them (torch.nn.DataParallel).
  const env = trainerEnv(gpus.slice(0, ranks));
  if (ranks === 1 || stage === 'audit') return { args: module, env, config: null };
  if (gpus.length === 0) {
    const launch = ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', String(ranks)];
    return { args: [...launch, ...module], env, config: null };
  }
  const config = { path: join(epochDir, 'accelerate.yaml'), text: launchConfig(stage, spec) };
  const given = stage === 'grpo' ? spec.grpo.accelerate_args : [];
  return {
    args: ['-m', 'accelerate.commands.launch', '--config_file', config.path, ...given, ...module],
    env,
    config,
  };
}

function trainerEnv(gpus: string[]): Record<string, string> {
  if (gpus.length > 0) return { CUDA_VISIBLE_DEVICES: gpus.join(',') };
  // One thread: the same sums in the same order, so that a resumed run ends in the same bytes.
  return { CUDA_VISIBLE_DEVICES: '', OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1', ACCELERATE_USE_CPU: 'true' };
}
