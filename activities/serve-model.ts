import { Context } from '@temporalio/activity';
import type { VllmSpec } from '../src/contracts/spec.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { serveUntilAborted } from '../src/stage/model-server.ts';
import { channels, type Dependencies } from './dependencies.ts';

export interface ServeModelInput {
  run: string;
  stage: string;
  role: 'judge' | 'grader' | 'base';
  /** As in the spec: a folder under GAVEL_ROOT, an absolute path, or a hub name. */
  model: string;
  vllm: VllmSpec;
  /** UUIDs of leased GPUs; empty serves on the CPU. */
  gpus: string[];
  start_timeout_s: number;
}

/** Serves one model with vLLM until cancelled; throws a retryable failure when the server dies. */
export const serveModel = (dependencies: Dependencies) =>
  async function serveModel(input: ServeModelInput): Promise<void> {
    const { config } = dependencies;
    const { attempt } = Context.current().info;
    await serveUntilAborted({
      ...channels(dependencies, input.run),
      ...input,
      attempt,
      config,
      paths: runPaths(config.root, input.run),
    });
  };
