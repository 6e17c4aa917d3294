import type { Client } from '@temporalio/client';
// It is CommonJS, whose names Node does not see.
import proto from '@temporalio/proto';
import type { WorkflowOwner } from '../contracts/reservation.ts';

/** Whether the owner of a lease still runs, asked in the owner's own namespace. */

const NOT_FOUND = 5;
const { WORKFLOW_EXECUTION_STATUS_RUNNING } = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

/** UUID of a namespace on the server of `client`. */
export async function namespaceId(client: Client, namespace: string): Promise<string> {
  const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace });
  return namespaceInfo?.id ?? '';
}

/**
 * false where the execution is over, or its namespace knows none. True where nothing can be said: the server does not answer, or it
 * has no such namespace, since the owner is then a run of another server, on this root too.
 */
export async function workflowRuns(client: Client, owner: WorkflowOwner): Promise<boolean> {
  const { workflow_id: workflowId, run_id: runId } = owner;
  try {
    const { namespaceInfo } = await client.workflowService.describeNamespace({ id: owner.namespace_id });
    const namespace = namespaceInfo?.name ?? owner.namespace;
    const execution = { workflowId, runId };
    try {
      const found = await client.workflowService.describeWorkflowExecution({ namespace, execution });
      return found.workflowExecutionInfo?.status === WORKFLOW_EXECUTION_STATUS_RUNNING;
    } catch (error) {
      return (error as { code?: number }).code !== NOT_FOUND;
    }
  } catch {
    return true;
  }
}
