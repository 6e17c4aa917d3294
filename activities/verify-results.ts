import { Context } from '@temporalio/activity';
import { failure } from '../src/failures.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { readVerifiedResult } from '../src/run-directory/result.ts';
import type { Dependencies } from './dependencies.ts';
import { whileBeating } from './while-beating.ts';

export interface VerifyResultsInput {
  run: string;
  stages: string[];
}

/** Checks what earlier stages published against its digests; throws ResultDamaged, naming the stage that has to run again. */
export const verifyResults = ({ config }: Dependencies) =>
  async function verifyResults({ run, stages }: VerifyResultsInput): Promise<void> {
    const context = Context.current();
    const paths = runPaths(config.root, run);
    // Weights of a large grader take a while to read.
    await whileBeating(
      5000,
      () => context.heartbeat(),
      async () => {
        for (const stage of stages) {
          const { result, quarantined } = await readVerifiedResult(paths, stage, context.cancellationSignal);
          if (result) continue;
          const [first] = quarantined;
          // A stage that was never run says so itself.
          if (first) throw failure('ResultDamaged', `${stage}: ${first.name}: ${first.reason}`, { stage });
        }
      },
    );
  };
