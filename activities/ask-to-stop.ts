import { runPaths } from '../src/run-directory/paths.ts';
import { requestStop } from '../src/run-directory/stop.ts';
import type { Dependencies } from './dependencies.ts';

export interface AskToStopInput {
  run: string;
  stage: string;
  /** Shown to people as the cause. */
  reason: string;
}

/** Asks the running attempt at a stage, wherever it is, to commit at its next step boundary and end. */
export const askToStop = ({ config }: Dependencies) =>
  async function askToStop({ run, stage, reason }: AskToStopInput): Promise<void> {
    await requestStop(runPaths(config.root, run), stage, reason);
  };
