import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { Place } from '../activities/reserve-node.ts';
import { reservationId } from '../src/contracts/reservation.ts';
import type { LimitsSpec } from '../src/contracts/spec/limits.ts';
import { failureType, timeoutOf } from '../src/failures.ts';
import { brief, reserve } from './activity-options.ts';
import type { StageControl } from './control.ts';
import { NodeErrors } from './node-errors.ts';

export interface NodeRequest {
  stage: string;
  /** GPUs needed at once, servers included. */
  gpus: number;
  limits: LimitsSpec;
}

/** A reserved node and the reservation's id. */
export interface Reservation extends Place {
  reservation: string;
  /** The stage's work began on this node before. */
  worked_before: boolean;
}

// A driver or a disk hangs, or an installation is broken; a person, or a reboot, takes that long at least.
const AVOID_S = 600;

/**
 * Reserves a node, does the work there and releases the node. Starts over, maybe elsewhere, when the node or its worker is
 * gone, when it is about to be preempted, after a pause, and elsewhere where the work failed by what may be the node's own error.
 */
export async function onNode<T>(
  control: StageControl,
  request: NodeRequest,
  work: (node: Reservation) => Promise<T>,
): Promise<T> {
  const { stage, gpus, limits } = request;
  const release = (reservation: string) =>
    CancellationScope.nonCancellable(async () => {
      await control.onNode(null);
      // A lease that stays on a broken disk blocks no other stage: a newer reservation supersedes it, and it is void once its workflow ends.
      await brief('Give the node back')
        .releaseNode({ reservation })
        .catch(() => undefined);
    });
  const errors = new NodeErrors();
  const worked_on = new Set<string>();
  for (let number = 1; ; number += 1) {
    const reservation = reservationId(workflowInfo().runId, number);
    await control.untilNotPaused();
    const summary = gpus > 0 ? `Reserve ${gpus} GPUs for ${stage}` : `Find a node for ${stage}`;
    const avoid = control.avoided;
    let node: Place | null = null;
    try {
      node = await control.whileReserving(() =>
        reserve(limits, summary).reserveNode({ stage, gpus, reservation, avoid, failed_on: errors.failed_on }),
      );
      if (node === null || control.isPaused) continue;
      await control.onNode({ node: node.node, reservation, avoided: avoid });
      const worked_before = worked_on.has(node.node);
      worked_on.add(node.node);
      return await work({ ...node, reservation, worked_before });
    } catch (error) {
      const moves = node !== null && errors.moves(node.node, error);
      if (!moves && !startsOver(error)) throw errors.endOf(error);
      const away = moves || failureType(error) === 'NodeStuck';
      if (node !== null && away) control.avoid(node.node, AVOID_S);
    } finally {
      await release(reservation);
    }
  }
}

/** True where the work did not fail by itself and only needs another reservation. */
function startsOver(error: unknown): boolean {
  const timeout = timeoutOf(error);
  // No worker polled the node's queue in time, or its worker fell silent. A model server may be the first to notice.
  if (timeout !== null) return ['SCHEDULE_TO_START', 'HEARTBEAT'].includes(timeout);
  return ['StopRequested', 'NodeLeaving', 'NodeStuck'].includes(failureType(error) ?? '');
}
