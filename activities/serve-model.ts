import { Context } from '@temporalio/activity';
import { runPaths } from '../src/run-directory/paths.ts';
import { type ServedModel, serveUntilAborted } from '../src/stage/model-server.ts';
import { channels, type Dependencies } from './dependencies.ts';

export type ServeModelInput = ServedModel;

/** Serves one model with vLLM until cancelled; throws a retryable failure when the server dies. */
export const serveModel = (dependencies: Dependencies) =>
  async function serveModel(input: ServeModelInput): Promise<void> {
    const { config } = dependencies;
    const { attempt, currentAttemptScheduledTimestampMs: order } = Context.current().info;
    await serveUntilAborted({
      ...channels(dependencies, input.run),
      ...input,
      attempt,
      order,
      config,
      paths: runPaths(config.root, input.run),
    });
  };
