import type { StageResult } from '../contracts/stage.ts';
import { reapOlderAttempts } from '../process/reap.ts';
import { newestEpoch } from '../run-directory/epoch-records.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readVerifiedResult } from '../run-directory/result.ts';
import { type PastEpoch, readPastEpochs } from './epoch-history.ts';
import { refuseWithoutProgress } from './error-budget.ts';
import { refuseIfTakenOver } from './other-owner.ts';
import type { StageRun } from './stage-run.ts';
import { stageTag } from './tags.ts';
import { type TakenEpoch, takeEpoch } from './take-epoch.ts';

/** How an attempt begins: with the stage's result where it is done, else with an epoch of its own. */
export type Begun = { result: StageResult } | { taken: TakenEpoch; past: PastEpoch[] };

/** Takes an epoch, unless the stage is done. Throws NoProgress where too many attempts before this one ended by error. */
export function beginAttempt(run: StageRun, paths: RunPaths): Promise<Begun> {
  return unlessAborted(run, begin(run, paths));
}

async function begin({ config, spec, stage, owner, signal, ended }: StageRun, paths: RunPaths): Promise<Begun> {
  // Read before the result: an attempt that takes an epoch after this may publish a result that is not seen here.
  const after = await newestEpoch(paths, stage);
  const { result } = await readVerifiedResult(paths, stage, signal);
  if (result) return { result };
  // An epoch taken by a superseded attempt would end the attempt that superseded it.
  if (signal.aborted) throw ended();
  await refuseIfTakenOver(paths, stage, after, owner);
  let past: PastEpoch[] = [];
  const mayBegin = async (epoch: number) => {
    past = await readPastEpochs(paths, stage, epoch);
    await refuseWithoutProgress(paths, stage, spec.limits, past, epoch);
  };
  const taken = await takeEpoch(paths, stage, { node: config.node, pid: process.pid, owner }, { after, mayBegin });
  // Processes of older attempts may hold the GPUs, and what they still do is void.
  await reapOlderAttempts(stageTag(config.node, paths, stage), taken.epoch);
  return { taken, past };
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
