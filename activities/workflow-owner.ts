import { Context } from '@temporalio/activity';
import type { WorkflowOwner } from '../src/contracts/reservation.ts';
import { failure, messageOf } from '../src/failures.ts';
import { namespaceId } from '../src/temporal/workflow-runs.ts';
import type { Dependencies } from './dependencies.ts';

/** The execution that the running activity is a part of. Throws ServerAway where the server does not say which namespace it is in. */
export async function workflowOwner({ client, namespace }: Dependencies): Promise<WorkflowOwner> {
  const { workflowId, runId } = Context.current().info.workflowExecution ?? { workflowId: '', runId: '' };
  const namespace_id = await namespaceId(client, namespace).catch((error: unknown) => {
    throw failure('ServerAway', `The server did not describe the namespace ${namespace}: ${messageOf(error)}`);
  });
  return { kind: 'workflow', namespace, namespace_id, workflow_id: workflowId, run_id: runId };
}
