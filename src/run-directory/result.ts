import { Outcome, StageResult } from '../contracts/stage.ts';
import { readContractIfAny } from './files.ts';
import type { RunPaths } from './paths.ts';

/** The stage's result: a stage that has one is done. Null where it is not done. */
export const readResult = (paths: RunPaths, stage: string): Promise<StageResult | null> =>
  readContractIfAny(paths.stage(stage).result, StageResult);

/** What rank 0 of the epoch said when it ended; null where it ended without a word. */
export const readOutcome = (paths: RunPaths, stage: string, epoch: number): Promise<Outcome | null> =>
  readContractIfAny(paths.stage(stage).epoch(epoch).outcome, Outcome);
