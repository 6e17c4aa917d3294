import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import { pythonEnv } from '../config.ts';
import type { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec.ts';
import type { Outcome, StageRequest, StageResult } from '../contracts/stage.ts';
import type { Heartbeat, Preemption, ProgressSignal } from '../contracts/status.ts';
import { trainerCommand } from '../engines/trainer.ts';
import { failure, messageOf } from '../failures.ts';
import { startChild } from '../process.ts';
import { takeEpoch } from '../run-directory/epochs.ts';
import { writeAtomic } from '../run-directory/files.ts';
import { type RunPaths, runPaths } from '../run-directory/paths.ts';
import { readResult } from '../run-directory/result.ts';
import { locateModel } from '../spec/models.ts';
import { errorsWithoutProgress, type PastEpoch, preemptionOf, readPastEpochs } from './epoch-history.ts';
import { type GatewayChild, startGatewayChild } from './gateway-child.ts';
import { LiveView } from './live-view.ts';
import { Losses } from './losses.ts';
import { readEnding } from './read-ending.ts';
import { trainerEvents } from './trainer-events.ts';

/** One attempt at a stage: take an epoch, start gateway and trainer, watch both, read what they left. */

export type TrainedStage = 'grpo' | 'sft' | 'audit';

export interface StageRun {
  config: Config;
  spec: Spec;
  stage: TrainedStage;
  gpus: string[];
  /** Aborted when the stage is cancelled or its worker shuts down. */
  signal: AbortSignal;
  /** How long a trainer may take to commit and end once the signal is aborted. */
  grace_ms: () => number;
  beat: (beat: Heartbeat) => void;
  onCommit: (progress: ProgressSignal) => void;
  onPreemption: (preemption: Preemption) => void;
  /** The gateway that the stage grades through; null for a stage that grades nothing. */
  gateway: ((paths: RunPaths, epoch: number) => GatewayConfig) | null;
  /** Environment variables that hold the judge's key. */
  secrets: Record<string, string>;
}

/** Runs the stage to its result, or throws a typed failure; a stage that is already done is only read. */
export async function runStage(run: StageRun): Promise<StageResult> {
  const paths = runPaths(run.config.root, run.spec.run);
  const done = await readResult(paths, run.stage);
  if (done) return done;

  // Verifying a large checkpoint on a shared disk takes longer than a heartbeat may be away.
  const stopWaiting = new LiveView(run.stage, null, run.beat).keepBeating();
  const holder = { node: run.config.node, pid: process.pid };
  const { epoch, dir, resume_from } = await takeEpoch(paths, run.stage, holder).finally(stopWaiting);
  const past = await readPastEpochs(paths, run.stage, epoch);
  await refuseWithoutProgress(run, paths, past, epoch);

  const live = new LiveView(run.stage, epoch, run.beat);
  const losses = new Losses(paths.report.preemptions, run.onPreemption);
  const last = past.at(-1);
  const lost = last && (await preemptionOf(paths, run.stage, last, resume_from?.step ?? 0));
  if (lost) await losses.report(lost);

  const stopBeating = live.keepBeating();
  const tag = `${run.spec.run}/${run.stage}/e${epoch}`;
  const logPath = paths.log(`${run.stage}-e${epoch}`);
  let gateway: GatewayChild | null = null;
  try {
    if (run.gateway) {
      const { config, secrets } = run;
      const logPath = paths.log(`gateway-${run.stage}-e${epoch}`);
      const settings = run.gateway(paths, epoch);
      gateway = await startGatewayChild({
        config,
        secrets,
        gateway: settings,
        paths,
        stage: run.stage,
        dir,
        logPath,
        tag,
        live,
        losses,
      });
    }
    await writeAtomic(paths.stage(run.stage).epoch(epoch).request, {
      stage: run.stage,
      run: run.spec.run,
      epoch,
      root: run.config.root,
      run_dir: paths.dir,
      resume_from: resume_from?.folder ?? null,
      gateway_url: gateway?.url ?? null,
      spec: run.spec,
    } satisfies StageRequest);
    const { args, env } = trainerCommand(run.stage, run.spec, dir, run.gpus);
    const events = trainerEvents({ paths, stage: run.stage, epoch, live, losses, onCommit: run.onCommit });
    const child = startChild({
      name: 'trainer',
      command: run.config.python,
      args,
      cwd: run.config.root,
      env: { ...pythonEnv(run.config, modelIsLocal(run)), ...env, ...(gateway && { GAVEL_API_KEY: gateway.key }) },
      logPath,
      tag,
      onEvent: events.take,
    });
    live.running('trainer', child.pid);
    const stop = () => void child.stop(run.grace_ms());
    run.signal.addEventListener('abort', stop, { once: true });
    if (run.signal.aborted) stop();
    const exit = await child.exited;
    await child.stop(0);
    await events.settled();
    run.signal.throwIfAborted();
    return await readEnding({ paths, stage: run.stage, epoch, logPath, ...exit });
  } catch (error) {
    // An attempt that ended before its trainer could say anything counts as an error too, or it is tried for ever.
    const { outcome } = paths.stage(run.stage).epoch(epoch);
    if (!run.signal.aborted && !existsSync(outcome)) {
      const failed: Outcome = { status: 'failed', message: messageOf(error), field: null };
      await writeAtomic(outcome, failed).catch(() => undefined);
    }
    throw error;
  } finally {
    stopBeating();
    await gateway?.stop();
  }
}

async function refuseWithoutProgress(
  { stage, spec }: StageRun,
  paths: RunPaths,
  past: PastEpoch[],
  epoch: number,
): Promise<void> {
  const errors = errorsWithoutProgress(past);
  if (errors.length < spec.limits.max_errors_without_progress) return;
  const last = errors.at(-1);
  // Ends the row: a person who has mended the cause and resumes gets all attempts again.
  const message = 'refused: too many attempts ended by error without a commit';
  await writeAtomic(paths.stage(stage).epoch(epoch).outcome, { status: 'bad_request', message, field: null });
  throw failure(
    'NoProgress',
    `${errors.length} attempts at ${stage} ended by error without a commit. Last: ${last?.outcome?.message ?? 'unknown'}. ` +
      `Log: ${paths.log(`${stage}-e${last?.epoch}`)}. Mend the cause, then \`gavel run runs/${spec.run}/spec.json --resume\`.`,
  );
}

function modelIsLocal({ config, spec, stage }: StageRun): boolean {
  const model = stage === 'grpo' ? spec.policy.model : spec.sft.base_model;
  return locateModel(config.root, model)?.kind === 'folder';
}
