import {
  CancellationScope,
  ChildWorkflowCancellationType,
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { ServeModelInput } from '../activities/serve-model.ts';
import type { LimitsSpec } from '../src/contracts/spec.ts';
import { longRunning } from './activity-options.ts';

export interface ModelServerInput extends ServeModelInput {
  task_queue: string;
  limits: LimitsSpec;
}

/** Keeps one vLLM alive until cancelled. */
export async function modelServer(input: ModelServerInput): Promise<void> {
  const { task_queue, limits, ...server } = input;
  const summary = `vLLM serves the ${input.role}: ${input.model}`;
  setCurrentDetails(`${summary}. It runs until its stage is done, and is started again when it dies.`);
  await longRunning({ task_queue, limits, summary }).serveModel(server);
}

/** Does the work while the servers run; a server that cannot be kept alive ends the work with its failure. */
export async function withServers<T>(servers: ModelServerInput[], work: () => Promise<T>): Promise<T> {
  if (servers.length === 0) return work();
  const serving = new CancellationScope();
  const working = new CancellationScope();
  const running = servers.map((server) => serving.run(() => startServer(server)));
  const fatal = Promise.race(
    running.map((server) => server.then(() => Promise.reject(new Error('The model server ended by itself.')))),
  );
  const done = working.run(work);
  try {
    return await Promise.race([done, fatal]);
  } catch (error) {
    working.cancel();
    await Promise.allSettled([done]);
    throw error;
  } finally {
    serving.cancel();
    await CancellationScope.nonCancellable(() => Promise.allSettled([...running, fatal]));
  }
}

function startServer(server: ModelServerInput): Promise<void> {
  return executeChild(modelServer, {
    workflowId: `${workflowInfo().workflowId}/${server.role}`,
    args: [server],
    staticSummary: `vLLM for the ${server.role}`,
    cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
    // A terminated stage must not leave a server that holds GPUs.
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
}
