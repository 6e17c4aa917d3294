import type { Client } from '@temporalio/client';
// It is CommonJS, whose names Node does not see.
import proto from '@temporalio/proto';
import type { WorkflowOwner } from '../contracts/reservation.ts';

/** Whether the owner of a lease still runs, asked in the owner's own namespace. */

const NOT_FOUND = 5;
// A client may use a namespace without being allowed to describe it; what it is called has to do then.
const PERMISSION_DENIED = 7;
const BY_NAME = 'name:';
const { WORKFLOW_EXECUTION_STATUS_RUNNING } = proto.temporal.api.enums.v1.WorkflowExecutionStatus;

/** UUID of a namespace on the server of `client`, or its name where the server does not give that away. */
export async function namespaceId(client: Client, namespace: string): Promise<string> {
  try {
    const { namespaceInfo } = await client.workflowService.describeNamespace({ namespace });
    return namespaceInfo?.id || `${BY_NAME}${namespace}`;
  } catch (error) {
    if ((error as { code?: number }).code === PERMISSION_DENIED) return `${BY_NAME}${namespace}`;
    throw error;
  }
}

/**
 * false where the execution is over, or its namespace knows none. True where nothing can be said: the server does not answer, or it
 * has no such namespace, since the owner is then a run of another server, on this root too.
 */
export async function workflowRuns(client: Client, owner: WorkflowOwner): Promise<boolean> {
  const { workflow_id: workflowId, run_id: runId } = owner;
  try {
    const namespace = await nameOf(client, owner);
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

async function nameOf(client: Client, { namespace, namespace_id }: WorkflowOwner): Promise<string> {
  if (namespace_id.startsWith(BY_NAME)) return namespace;
  const { namespaceInfo } = await client.workflowService.describeNamespace({ id: namespace_id });
  return namespaceInfo?.name ?? namespace;
}
