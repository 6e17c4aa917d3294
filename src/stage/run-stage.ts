import { existsSync } from 'node:fs';
import type { Config } from '../config.ts';
import { pythonEnv } from '../config.ts';
import type { GatewayConfig } from '../contracts/gateway.ts';
import type { Spec } from '../contracts/spec/spec.ts';
import type { Outcome, StageRequest, StageResult } from '../contracts/stage.ts';
import type { Heartbeat, Preemption, ProgressSignal } from '../contracts/status.ts';
import { failure, messageOf } from '../failures.ts';
import { ProcessStuck, reapOlderAttempts } from '../process/reap.ts';
import { type Child, startChild } from '../process/start-child.ts';
import { writeAtomic } from '../run-directory/files.ts';
import { type RunPaths, runPaths } from '../run-directory/paths.ts';
import { readVerifiedResult } from '../run-directory/result.ts';
import { locateModel } from '../serving/identity.ts';
import { commitThinning } from './commit-thinning.ts';
import { errorsWithoutProgress, type PastEpoch, preemptionOf, readPastEpochs, untold } from './epoch-history.ts';
import { type GatewayChild, startGatewayChild } from './gateway-child.ts';
import { publishOutsideJudge } from './gateway-settings.ts';
import { LiveView } from './live-view.ts';
import { Losses } from './losses.ts';
import { noteCause, readEnding } from './read-ending.ts';
import { stageTag } from './tags.ts';
import { type TakenEpoch, takeEpoch } from './take-epoch.ts';
import { trainerCommand } from './trainer-command.ts';
import { trainerEvents } from './trainer-events.ts';
import { type Ended, watchTrainer } from './watch-trainer.ts';

/** One attempt at a stage: take an epoch, start gateway and trainer, watch both, read what they left. */

export type TrainedStage = 'grpo' | 'sft' | 'audit';

export interface StageRun {
  config: Config;
  spec: Spec;
  stage: TrainedStage;
  gpus: string[];
  /** Aborted when the stage is cancelled, its worker shuts down, or the server has given this attempt up. */
  signal: AbortSignal;
  /** How long a trainer may take to commit and end once the signal is aborted. */
  grace_ms: () => number;
  /** What the attempt throws once the signal is aborted. */
  ended: () => Error;
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
  // Verifying large files on a shared disk takes longer than a heartbeat may be away.
  const stopWaiting = new LiveView(run.stage, null, run.beat).keepBeating();
  let taken: TakenEpoch;
  try {
    const begun = await unlessAborted(run, begin(run, paths));
    if ('result' in begun) return begun.result;
    taken = begun.taken;
  } catch (error) {
    throw typed(error);
  } finally {
    stopWaiting();
  }
  const live = new LiveView(run.stage, taken.epoch, run.beat);
  const losses = new Losses(paths.report.preemptions, run.stage, run.onPreemption);
  const stopBeating = live.keepBeating();
  const attempt: Attempt = { run, paths, taken, live, losses, gateway: null };
  try {
    await sayWhatWasLost(attempt);
    return await trainAndRead(attempt);
  } catch (error) {
    // An attempt that ended before its trainer could say anything counts as an error too, or it is tried for ever.
    const { outcome } = paths.stage(run.stage).epoch(taken.epoch);
    if (run.signal.aborted) {
      await noteCause(paths, run.stage, taken.epoch, causeOf(run.ended()));
      throw run.ended();
    }
    if (!existsSync(outcome)) {
      const failed: Outcome = { status: 'failed', message: messageOf(error), field: null };
      await writeAtomic(outcome, failed).catch(() => undefined);
    }
    throw typed(error);
  } finally {
    stopBeating();
    await attempt.gateway?.stop();
  }
}

type Begun = { result: StageResult } | { taken: TakenEpoch };

async function begin({ config, stage, signal, ended }: StageRun, paths: RunPaths): Promise<Begun> {
  const { result } = await readVerifiedResult(paths, stage);
  if (result) return { result };
  // Nobody waits for it any more: an epoch taken now would end the attempt that took its place.
  if (signal.aborted) throw ended();
  const taken = await takeEpoch(paths, stage, { node: config.node, pid: process.pid });
  // They may hold the GPUs, and whatever they do from here on is void.
  await reapOlderAttempts(stageTag(config.node, paths, stage), taken.epoch);
  return { taken };
}

/** The work's outcome, or what the attempt ends with once its signal aborts: the work takes no epoch then. */
async function unlessAborted<T>({ signal, ended }: StageRun, work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  const aborted = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(ended());
    signal.addEventListener('abort', () => reject(ended()), { once: true });
  });
  aborted.catch(() => undefined);
  return Promise.race([work, aborted]);
}

async function sayWhatWasLost({ run, paths, taken, losses }: Attempt): Promise<void> {
  const { stage } = run;
  const { epoch, resume_from } = taken;
  const past = await readPastEpochs(paths, stage, epoch);
  await refuseWithoutProgress(run, paths, past, epoch);
  for (const each of untold(past)) {
    const quarantined = each === past.at(-1) ? taken.quarantined : [];
    const lost = await preemptionOf(paths, stage, each, { resume_from, quarantined }, run.config.node);
    if (lost) await losses.report(lost);
  }
  const resumed = { step: resume_from?.step ?? 0, checkpoint: resume_from?.name ?? null };
  run.onCommit({ stage, epoch, total: 0, metrics: {}, ...resumed });
}

/** Errors of the machine as failures that say what is to be done next. */
function typed(error: unknown): unknown {
  if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException)?.code ?? '')) {
    return failure('DiskFull', messageOf(error));
  }
  return error instanceof ProcessStuck ? failure('NodeStuck', error.message) : error;
}

interface Attempt {
  run: StageRun;
  paths: RunPaths;
  taken: TakenEpoch;
  live: LiveView;
  losses: Losses;
  gateway: GatewayChild | null;
}

async function trainAndRead(attempt: Attempt): Promise<StageResult> {
  const { run, paths, taken, live, losses } = attempt;
  const { config, spec, stage } = run;
  const { epoch, dir } = taken;
  const tag = `${stageTag(config.node, paths, stage)}/e${epoch}`;
  if (run.gateway) {
    if (stage === 'grpo') await publishOutsideJudge(spec, paths);
    const logPath = paths.log(`gateway-${stage}-e${epoch}`);
    const { secrets } = run;
    const gateway = run.gateway(paths, epoch);
    attempt.gateway = await startGatewayChild({
      signal: run.signal,
      ended: run.ended,
      config,
      secrets,
      gateway,
      paths,
      stage,
      dir,
      logPath,
      tag,
      live,
      losses,
    });
  }
  await writeAtomic(paths.stage(stage).epoch(epoch).request, requestOf(attempt));
  const logPath = paths.log(`${stage}-e${epoch}`);
  const thin = commitThinning(stage, spec);
  const onCommit = (progress: ProgressSignal) => thin(progress) && run.onCommit(progress);
  const events = trainerEvents({ paths, stage, epoch, live, losses, onCommit });
  const child = startTrainer(attempt, logPath, tag, events.take);
  live.running('trainer', child.pid);
  const gone = attempt.gateway?.gone;
  const ended: Ended = await watchTrainer({ child, paths, stage, run, live, limits: spec.limits, gone, events });
  await events.settled();
  // Its cause is noted where every abort ends.
  if (ended.why === 'aborted') throw run.ended();
  if (ended.why === 'gateway') throw ended.error;
  const { exit, why } = ended;
  const asked = why === 'stop' ? ended.reason : null;
  const hung = why === 'hung' ? ended.message : null;
  return readEnding({ paths, stage, epoch, logPath, asked, hung, ...exit });
}

/** Why an attempt was ended from outside, in words for the next one. */
const causeOf = (error: Error): string =>
  (error as { type?: string }).type === 'NodeLeaving'
    ? error.message
    : 'the run was cancelled, or the server gave this attempt up';

function requestOf({ run, paths, taken, gateway }: Attempt): StageRequest {
  const { config, spec, stage } = run;
  return {
    stage,
    run: spec.run,
    epoch: taken.epoch,
    root: config.root,
    run_dir: paths.dir,
    resume_from: taken.resume_from?.folder ?? null,
    gateway_url: gateway?.url ?? null,
    ledger: taken.ledger,
    spec,
  };
}

function startTrainer(
  { run, taken, gateway }: Attempt,
  logPath: string,
  tag: string,
  onEvent: (event: unknown) => void,
): Child {
  const { config, spec, stage, gpus } = run;
  const { args, env } = trainerCommand(stage, spec, taken.dir, gpus);
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
  const model = stage === 'grpo' ? spec.policy.model : spec.base.model;
  return locateModel(config.root, model)?.kind === 'folder';
}
