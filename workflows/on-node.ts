import {
  ActivityFailure,
  CancellationScope,
  ChildWorkflowFailure,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Reservation } from '../activities/reserve-node.ts';
import type { LimitsSpec } from '../src/contracts/spec.ts';
import { reserve, shared } from './activity-options.ts';
import type { StatusBoard } from './status.ts';

export interface NodeRequest {
  run: string;
  stage: string;
  /** GPUs needed at once, servers included. */
  gpus: number;
  limits: LimitsSpec;
}

/** Reserves a node, does the work there and gives the node back; starts over elsewhere when the node is gone. */
export async function onNode<T>(
  board: StatusBoard,
  request: NodeRequest,
  work: (node: Reservation) => Promise<T>,
): Promise<T> {
  const owner = workflowInfo().workflowId;
  for (;;) {
    const summary =
      request.gpus > 0 ? `Reserve ${request.gpus} GPUs for ${request.stage}` : `Find a node for ${request.stage}`;
    const node = await reserve(request.limits, summary).reserveNode({
      run: request.run,
      stage: request.stage,
      gpus: request.gpus,
      owner,
    });
    board.onNode(node.node);
    try {
      return await work(node);
    } catch (error) {
      if (!nodeIsGone(error)) throw error;
    } finally {
      await CancellationScope.nonCancellable(() =>
        shared('Give the node back').releaseNode({ node: node.node, owner }),
      );
    }
  }
}

/** True where nobody polled the node's own queue in time; Temporal does not retry that by itself. */
function nodeIsGone(error: unknown): boolean {
  let cause = error;
  // The first to miss its node may be the model server's workflow, a child of the stage.
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) cause = cause.cause;
  return cause instanceof TimeoutFailure && cause.timeoutType === 'SCHEDULE_TO_START';
}
