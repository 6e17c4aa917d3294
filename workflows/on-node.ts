import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Reservation } from '../activities/reserve-node.ts';
import type { LimitsSpec } from '../src/contracts/spec.ts';
import { brief, reserve } from './activity-options.ts';
import type { StageControl } from './control.ts';

export interface NodeRequest {
  run: string;
  stage: string;
  /** GPUs needed at once, servers included. */
  gpus: number;
  limits: LimitsSpec;
}

/**
 * Reserves a node, does the work there and gives the node back. Starts over, maybe elsewhere, when the node or its worker is
 * gone, when it is about to be taken away, and after a pause.
 */
export async function onNode<T>(
  control: StageControl,
  request: NodeRequest,
  work: (node: Reservation) => Promise<T>,
): Promise<T> {
  const { run, stage, gpus, limits } = request;
  const owner = workflowInfo().workflowId;
  for (;;) {
    await control.untilNotPaused();
    const summary = gpus > 0 ? `Reserve ${gpus} GPUs for ${stage}` : `Find a node for ${stage}`;
    const avoid = control.avoided;
    const node = await reserve(limits, summary).reserveNode({ run, stage, gpus, owner, avoid });
    try {
      if (control.isPaused) continue;
      await control.onNode(node.node);
      return await work(node);
    } catch (error) {
      if (!startsOver(error)) throw error;
    } finally {
      await CancellationScope.nonCancellable(async () => {
        await control.onNode(null);
        await brief('Give the node back').releaseNode({ owner });
      });
    }
  }
}

/** True where the work ended through no fault of its own, and a reservation is all that it lacks. */
function startsOver(error: unknown): boolean {
  let cause = error;
  // The first to miss its node may be the model server's workflow, a child of the stage.
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) cause = cause.cause;
  // Nobody polled the node's queue in time, or its worker fell silent.
  if (cause instanceof TimeoutFailure) return ['SCHEDULE_TO_START', 'HEARTBEAT'].includes(cause.timeoutType ?? '');
  return cause instanceof ApplicationFailure && ['StopRequested', 'NodeLeaving'].includes(cause.type ?? '');
}
