import type { KnownRun } from '../activities/prepare-run.ts';
import { shared } from './activity-options.ts';
import type { Leaving } from './control.ts';

/** Argument of a stage's workflow: the run alone is enough, so that a stage can be started by hand. */
export interface StageInput {
  run: string;
  /** What the pipeline knows of the run; left out, it is read from the run directory. */
  known?: KnownRun;
  /** Nodes that will be preempted. */
  leaving?: Leaving;
}

/** What is known of the run, from the caller or else from the run directory. */
export async function knownRun({ run, known }: StageInput): Promise<KnownRun> {
  return known ?? shared('Read the plan of the run').readRun({ run });
}
