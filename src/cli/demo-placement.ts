import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Spec } from '../contracts/spec/spec.ts';

/** Whether set-up installed the engine for CUDA, which does not serve on the CPU. */
export function hasCudaEngine({ package_root }: Pick<Config, 'package_root'>): boolean {
  try {
    return JSON.parse(readFileSync(join(package_root, '.venv/.gavel-stamp'), 'utf8')).engine === 'cuda';
  } catch {
    return false;
  }
}

/**
 * The demo's spec on a machine with `gpus` GPUs and an engine for CUDA: each model that is served gets one. A single GPU serves one
 * model at a time, so the tiny policy trains on the CPU there, and the audit leaves the untrained base out.
 */
export function onGpus(spec: Spec, gpus: number): Spec {
  if (gpus === 0) return spec;
  const several = gpus > 1;
  const placement = { judge_gpus: 1, rollout_gpus: 0, trainer_gpus: several ? 1 : 0, grader_gpus: 1 };
  return { ...spec, placement, audit: { ...spec.audit, base: several && spec.audit.base } };
}
