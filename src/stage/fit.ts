import type { Config } from '../config.ts';
import { FitReport, type FitRequest } from '../contracts/fit.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import { failure } from '../failures.ts';
import { readContractIfAny, writeAtomic } from '../run-directory/files.ts';
import type { RunFolder } from '../run-directory/paths.ts';
import { locatedModel } from './located-model.ts';
import { gpuNameOf, machineOf } from './machine.ts';

/** What the time of a step depends on besides the spec. */
export type StepTimeAsked = Pick<FitRequest, 'gpu_name' | 'completion_tokens' | 'reply_tokens'>;

/** Leaves for Python what an estimate needs besides the spec. Throws where a model of the spec is not to be found. */
export async function askForFit(
  config: Config,
  spec: Spec,
  folder: Pick<RunFolder, 'fit_request'>,
  asked: Partial<StepTimeAsked> = {},
): Promise<void> {
  const request: FitRequest = {
    machine: await machineOf(config),
    hub_cache: config.hub_cache,
    models: {
      policy: locatedModel(config.root, spec, 'policy'),
      judge: spec.judge.engine === 'vllm' ? locatedModel(config.root, spec, 'judge') : null,
      base: locatedModel(config.root, spec, 'base'),
    },
    // A spec without GPUs runs on the CPU, whatever the machine has.
    gpu_name: asked.gpu_name ?? (spec.placement.trainer_gpus > 0 ? await gpuNameOf(config) : null),
    completion_tokens: asked.completion_tokens ?? null,
    reply_tokens: asked.reply_tokens ?? null,
  };
  await writeAtomic(folder.fit_request, request);
}

/**
 * Throws DoesNotFit, with the sum, where the estimate says that the run cannot fit; a run without an estimate is not refused, nor is
 * one on a worker whose machine says nothing of the others (GAVEL_FIT=warn).
 */
export async function refuseWhatCannotFit({ fit }: Pick<Config, 'fit'>, folder: Pick<RunFolder, 'fit'>): Promise<void> {
  const problems = (await readContractIfAny(folder.fit, FitReport))?.problems ?? [];
  if (problems.length === 0) return;
  const said = problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
  if (fit === 'refuse') throw failure('DoesNotFit', said, { problems });
  console.error(`May not fit (GAVEL_FIT=warn): ${said}`);
}
