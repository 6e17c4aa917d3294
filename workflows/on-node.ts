import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowFailure,
  TimeoutFailure,
  workflowInfo,
} from '@temporalio/workflow';
import type { Reservation } from '../activities/reserve-node.ts';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';
import { brief, reserve } from './activity-options.ts';
import type { StageControl } from './control.ts';

export interface NodeRequest {
  run: string;
  stage: string;
  /** GPUs needed at once, servers included. */
  gpus: number;
  limits: LimitsSpec;
}

// A process that no signal ends hangs on a driver or a disk; a person, or a reboot, takes that long at least.
const STUCK_S = 600;

/**
 * Reserves a node, does the work there and gives the node back. Starts over, maybe elsewhere, when the node or its worker is
 * gone, when it is about to be taken away, and after a pause.
 */
export async function onNode<T>(
  control: StageControl,
  request: NodeRequest,
  work: (node: Reservation, reservation: number) => Promise<T>,
): Promise<T> {
  const { run, stage, gpus, limits } = request;
  const owner = workflowInfo().workflowId;
  const release = () =>
    CancellationScope.nonCancellable(async () => {
      await control.onNode(null);
      await brief('Give the node back').releaseNode({ owner });
    });
  for (let reservation = 1; ; reservation += 1) {
    await control.untilNotPaused();
    const summary = gpus > 0 ? `Reserve ${gpus} GPUs for ${stage}` : `Find a node for ${stage}`;
    const avoid = control.avoided;
    let node: Reservation | null = null;
    try {
      node = await control.whileReserving(() =>
        reserve(limits, summary).reserveNode({ run, stage, gpus, owner, avoid }),
      );
      if (node === null || control.isPaused) continue;
      await control.onNode(node.node);
      return await work(node, reservation);
    } catch (error) {
      if (!startsOver(error)) throw error;
      if (node !== null && failureType(error) === 'NodeStuck') control.avoid(node.node, STUCK_S);
    } finally {
      await release();
    }
  }
}

/** Type of the failure at the bottom of a chain. */
function failureType(error: unknown): string | null {
  let cause = error;
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) cause = cause.cause;
  return cause instanceof ApplicationFailure ? (cause.type ?? null) : null;
}

/** True where the work ended through no fault of its own, and a reservation is all that it lacks. */
function startsOver(error: unknown): boolean {
  let cause = error;
  // The first to miss its node may be the model server's workflow, a child of the stage.
  while (cause instanceof ActivityFailure || cause instanceof ChildWorkflowFailure) cause = cause.cause;
  // Nobody polled the node's queue in time, or its worker fell silent.
  if (cause instanceof TimeoutFailure) return ['SCHEDULE_TO_START', 'HEARTBEAT'].includes(cause.timeoutType ?? '');
  return ['StopRequested', 'NodeLeaving', 'NodeStuck'].includes(failureType(error) ?? '');
}
