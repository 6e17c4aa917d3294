import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { Reservation } from '../activities/reserve-node.ts';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';
import { failureType, timeoutOf } from '../src/failures.ts';
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

/** True where the work ended through no fault of its own, and all that it needs is another reservation. */
function startsOver(error: unknown): boolean {
  const timeout = timeoutOf(error);
  // Nobody polled the node's queue in time, or its worker fell silent. The first to miss its node may be a model server.
  if (timeout !== null) return ['SCHEDULE_TO_START', 'HEARTBEAT'].includes(timeout);
  return ['StopRequested', 'NodeLeaving', 'NodeStuck'].includes(failureType(error) ?? '');
}
