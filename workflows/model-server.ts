import {
  CancellationScope,
  ChildWorkflowCancellationType,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { ServeModelInput } from '../activities/serve-model.ts';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';
import { failure } from '../src/failures.ts';
import { serving } from './activity-options.ts';

export interface ModelServerInput extends ServeModelInput {
  /** Name of the model, for people. */
  model: string;
  task_queue: string;
  limits: LimitsSpec;
}

/** Keeps one vLLM alive until cancelled. */
export async function modelServer(input: ModelServerInput): Promise<void> {
  const { task_queue, limits, model, ...server } = input;
  const summary = `vLLM serves the ${input.role}: ${model}`;
  setCurrentDetails(`${summary}. It runs until its stage is done, and is started again when it dies.`);
  try {
    await serving({ task_queue, limits, summary }).serveModel(server);
  } catch (error) {
    // A server's workflow ends by cancellation, so it should not be listed as failed.
    if (!isCancellation(error)) throw error;
  }
}

/** Does the work while the servers run; a server that cannot be kept alive ends the work with its failure. */
export async function withServers<T>(servers: ModelServerInput[], work: () => Promise<T>): Promise<T> {
  if (servers.length === 0) return work();
  const serving = new CancellationScope();
  const working = new CancellationScope();
  const stage = CancellationScope.current();
  const running = servers.map((server) => serving.run(() => startServer(server)));
  const fatal = new Promise<never>((_, reject) => {
    for (const server of running) {
      // A cancelled stage ends its servers too; how the work takes that is what counts then.
      const unlessCancelled = (error: unknown) => stage.consideredCancelled || reject(error);
      server.then(
        // A server ends by itself before the work is done only where its own workflow is cancelled.
        () => unlessCancelled(failure('ModelServerDied', 'A model server was cancelled while it was needed')),
        unlessCancelled,
      );
    }
  });
  const done = working.run(work);
  try {
    return await Promise.race([done, fatal]);
  } catch (error) {
    working.cancel();
    await CancellationScope.nonCancellable(() => Promise.allSettled([done]));
    throw error;
  } finally {
    // From here on an end of a server is no failure.
    fatal.catch(() => undefined);
    serving.cancel();
    await CancellationScope.nonCancellable(() => Promise.allSettled(running));
  }
}

function startServer(server: ModelServerInput): Promise<void> {
  return executeChild(modelServer, {
    workflowId: `${workflowInfo().workflowId}/${server.endpoint ?? server.role}`,
    args: [server],
    staticSummary: `vLLM for the ${server.role}`,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    // A terminated stage must not leave a server that holds GPUs.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
}
