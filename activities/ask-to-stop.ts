import { runPaths } from '../src/run-directory/paths.ts';
import { requestStop } from '../src/run-directory/stop.ts';
import type { Dependencies } from './dependencies.ts';

export interface AskToStopInput {
  run: string;
  stage: string;
  /** Which attempt is meant: the one on this reservation, and none that came after. */
  reservation: string;
  /** Shown to people as the cause. */
  reason: string;
}

/** Asks the attempt on a reservation, wherever it runs, to commit at its next step boundary and end. */
export const askToStop = ({ config }: Dependencies) =>
  async function askToStop({ run, stage, reservation, reason }: AskToStopInput): Promise<void> {
    await requestStop(runPaths(config.root, run), stage, reservation, reason);
  };
