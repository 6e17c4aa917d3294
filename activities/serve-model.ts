import { Context } from '@temporalio/activity';
import type { ServedRole } from '../src/contracts/trace.ts';
import { readSpec } from '../src/run-directory/create-run.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { servedModel } from '../src/serving/served-model.ts';
import { serveUntilAborted } from '../src/stage/model-server.ts';
import { channels, type Dependencies } from './dependencies.ts';

export interface ServeModelInput {
  run: string;
  spec_digest: string;
  stage: string;
  role: ServedRole;
  /** Name of its endpoint; absent: its role. */
  endpoint?: string;
  /** UUIDs of leased GPUs; empty serves on the CPU. */
  gpus: string[];
  /** The stage's work began on this node before: where the model does not start now, it is worth another try. */
  served_before: boolean;
}

/** Serves one model with vLLM until cancelled; throws a retryable failure when the server dies. */
export const serveModel = (dependencies: Dependencies) =>
  async function serveModel({ spec_digest, ...input }: ServeModelInput): Promise<void> {
    const { config } = dependencies;
    const { attempt, currentAttemptScheduledTimestampMs: order } = Context.current().info;
    const paths = runPaths(config.root, input.run);
    const spec = await readSpec(paths, spec_digest);
    await serveUntilAborted({
      ...channels(dependencies, input.run),
      ...input,
      served: servedModel(spec, input.role),
      start_timeout_s: spec.limits.model_start_timeout_s,
      attempt,
      order,
      config,
      paths,
    });
  };
