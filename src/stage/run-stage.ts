import { existsSync } from 'node:fs';
import type { StageResult } from '../contracts/stage.ts';
import type { ProgressSignal } from '../contracts/status.ts';
import { failure, isDiskFull, messageOf, withDetails } from '../failures.ts';
import { watchOomKills } from '../process/oom-kills.ts';
import { ProcessStuck } from '../process/reap.ts';
import { EpochSuperseded } from '../run-directory/epoch-records.ts';
import { writeAtomic } from '../run-directory/files.ts';
import { runPaths } from '../run-directory/paths.ts';
import { publishOutsideJudge } from '../serving/engines/openai.ts';
import { type Begun, beginAttempt } from './begin-attempt.ts';
import { commitThinning } from './commit-thinning.ts';
import { interruptionOf, type PastEpoch, untold } from './epoch-history.ts';
import { failedOutcome } from './failed-outcome.ts';
import { startGatewayChild } from './gateway-child.ts';
import { InterruptionLog } from './interruption-log.ts';
import { LiveView } from './live-view.ts';
import { noteCause, readEnding } from './read-ending.ts';
import type { Attempt, StageRun } from './stage-run.ts';
import { requestOf, startTrainer } from './start-trainer.ts';
import { stageTag } from './tags.ts';
import { trainerEvents } from './trainer-events.ts';
import { type Ended, watchTrainer } from './watch-trainer.ts';

/** One attempt at a stage: take an epoch, start gateway and trainer, watch both, read what they left. */

/**
 * Runs the stage to its result, or throws a typed failure; a stage that is already done is only read. The details of a failure
 * name the epoch where its folder says how it ended; without one the workflow has to count it.
 */
export async function runStage(run: StageRun): Promise<StageResult> {
  const paths = runPaths(run.config.root, run.spec.run);
  // Verifying large files on a shared disk takes longer than a heartbeat may be away.
  const stopWaiting = new LiveView(run.stage, null, run.beat).keepBeating();
  let begun: Begun;
  try {
    begun = await beginAttempt(run, paths);
  } catch (error) {
    throw typed(error);
  } finally {
    stopWaiting();
  }
  if ('result' in begun) return begun.result;
  const { taken, past } = begun;
  const live = new LiveView(run.stage, taken.epoch, run.beat);
  const interruptions = new InterruptionLog(paths.report.interruptions, run.stage, run.onInterruption);
  const stopBeating = live.keepBeating();
  const attempt: Attempt = { run, paths, taken, live, interruptions, gateway: null };
  try {
    await sayWhatWasLost(attempt, past);
    return await trainAndRead(attempt).finally(() => attempt.gateway?.stop(gatewayGraceMs(run)));
  } catch (error) {
    if (run.signal.aborted) {
      await noteCause(paths, run.stage, taken.epoch, causeOf(run.ended()));
      throw run.ended();
    }
    throw (await isRecorded(attempt, error)) ? withDetails(typed(error), { epoch: taken.epoch }) : typed(error);
  } finally {
    stopBeating();
  }
}

// Sealing a segment takes milliseconds; a hung gateway must not hold up the stage. The trainer has had its grace before, and a person
// who cancels waits for the sum of both, so that the gateway gets a quarter. What it has answered is durable: killed, it loses nothing.
const GATEWAY_GRACE_MS = 2000;
const gatewayGraceMs = ({ grace_ms }: StageRun) => Math.min(GATEWAY_GRACE_MS, grace_ms() / 4);

/** Whether the epoch's folder says how the attempt ended; one that ended before its trainer could say anything says it here. */
async function isRecorded({ paths, run, taken }: Attempt, error: unknown): Promise<boolean> {
  const { outcome } = paths.stage(run.stage).epoch(taken.epoch);
  if (existsSync(outcome)) return true;
  return writeAtomic(outcome, failedOutcome(error)).then(
    () => true,
    () => false,
  );
}

async function sayWhatWasLost({ run, paths, taken, interruptions }: Attempt, past: PastEpoch[]): Promise<void> {
  const { stage } = run;
  const { epoch, resume_from } = taken;
  for (const each of untold(past, stage, await interruptions.all())) {
    const quarantined = each === past.at(-1) ? taken.quarantined : [];
    const lost = await interruptionOf(paths, stage, each, { resume_from, quarantined }, run.config.node);
    if (lost) await interruptions.report(lost);
  }
  const resumed = { step: resume_from?.step ?? 0, checkpoint: resume_from?.name ?? null };
  run.onCommit({ stage, epoch, total: 0, metrics: {}, ...resumed });
}

/** Errors of the machine as failures that say what is to be done next. */
function typed(error: unknown): unknown {
  if (isDiskFull(error)) return failure('DiskFull', messageOf(error));
  if (error instanceof ProcessStuck) return failure('NodeStuck', error.message);
  return error instanceof EpochSuperseded ? failure('AttemptGivenUp', error.message) : error;
}

async function trainAndRead(attempt: Attempt): Promise<StageResult> {
  const { run, paths, taken, live, interruptions } = attempt;
  const { config, spec, stage } = run;
  const { epoch, dir } = taken;
  const tag = `${stageTag(config.node, paths, stage)}/e${epoch}`;
  if (stage === 'grpo') await publishOutsideJudge(spec.judge, paths);
  attempt.gateway = await startGatewayChild({
    signal: run.signal,
    ended: run.ended,
    config,
    secrets: run.secrets,
    gateway: run.gateway(paths, epoch),
    paths,
    stage,
    dir,
    logPath: paths.log(`gateway-${stage}-e${epoch}`),
    tag,
    live,
    interruptions,
  });
  await writeAtomic(paths.stage(stage).epoch(epoch).request, requestOf(attempt));
  const logPath = paths.log(`${stage}-e${epoch}`);
  const thin = commitThinning(stage, spec);
  const onCommit = (progress: ProgressSignal) => thin(progress) && run.onCommit(progress);
  const events = trainerEvents({ paths, stage, epoch, live, interruptions, onCommit, onAlarm: run.onAlarm });
  const child = startTrainer(attempt, logPath, tag, events.take);
  const oom = watchOomKills(child.pid, config.oom_counter);
  live.running('trainer', child.pid);
  const { gone } = attempt.gateway;
  const watched = { child, paths, stage, run, live, limits: spec.limits, gone, events };
  const ended: Ended = await watchTrainer(watched).finally(oom.stop);
  await events.settled();
  // Its cause is noted where every abort ends.
  if (ended.why === 'aborted') throw run.ended();
  if (ended.why === 'gateway') throw ended.error;
  const { exit, why } = ended;
  const asked = why === 'stop' ? ended.reason : null;
  const hung = why === 'hung' ? ended.message : null;
  return readEnding({ paths, stage, epoch, logPath, asked, hung, oom_kills: oom.recent(), ...exit });
}

/** Why an attempt was ended from outside, in words for the next one. */
const causeOf = (error: Error): string =>
  (error as { type?: string }).type === 'NodeLeaving'
    ? error.message
    : 'the run was cancelled, or the server gave this attempt up';
