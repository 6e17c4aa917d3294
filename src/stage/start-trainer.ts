import { writeFileSync } from 'node:fs';
import { pythonEnv } from '../config.ts';
import type { StageRequest } from '../contracts/stage.ts';
import { type Child, startChild } from '../process/start-child.ts';
import { policyEndpoints } from '../serving/served-model.ts';
import { locatedModel } from './located-model.ts';
import type { Attempt, StageRun } from './stage-run.ts';
import { trainerCommand } from './trainer-command.ts';

/** What the trainer reads first. */
export function requestOf({ run, paths, taken, gateway }: Attempt): StageRequest {
  const { config, spec, stage } = run;
  return {
    stage,
    run: spec.run,
    epoch: taken.epoch,
    root: config.root,
    run_dir: paths.dir,
    resume_from: taken.resume_from?.folder ?? null,
    chain: taken.chain,
    gateway_url: gateway?.url ?? null,
    ledger: taken.ledger,
    policy_endpoints: stage === 'grpo' ? policyEndpoints(spec).map(paths.endpoint) : [],
    models: { policy: locatedModel(config.root, spec, 'policy'), base: locatedModel(config.root, spec, 'base') },
    spec,
  };
}

/** Starts the stage's trainer on the attempt's GPUs; `onEvent` gets its progress lines. */
export function startTrainer(
  { run, taken, gateway }: Attempt,
  logPath: string,
  tag: string,
  onEvent: (event: unknown) => void,
): Child {
  const { config, spec, stage, gpus } = run;
  const { args, env, config: file } = trainerCommand(stage, spec, taken.dir, gpus, config.allow_args);
  if (file !== null) writeFileSync(file.path, file.text);
  return startChild({
    name: 'trainer',
    ask: 'ranks',
    command: config.python,
    args,
    cwd: config.root,
    env: { ...pythonEnv(config, modelIsLocal(run)), ...env, ...(gateway && { GAVEL_API_KEY: gateway.key }) },
    logPath,
    tag,
    onEvent,
  });
}

const modelIsLocal = ({ config, spec, stage }: StageRun): boolean =>
  locatedModel(config.root, spec, stage === 'grpo' ? 'policy' : 'base').revision === null;
