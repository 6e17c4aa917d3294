import { Context } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { failure, messageOf } from '../src/failures.ts';

/**
 * Throws AttemptGivenUp where the server no longer waits for this attempt at the activity. A worker that was stopped, or cut off
 * from the server, may hold tasks that were given to other workers since. It learns that at its first heartbeat,
 * which is too late for what it changes before.
 */
export async function refuseIfGivenUp(client: Client): Promise<void> {
  const { workflowExecution, activityId, activityType, attempt } = Context.current().info;
  if (!workflowExecution) return;
  const { workflowId, runId } = workflowExecution;
  const { raw } = await client.workflow
    .getHandle(workflowId, runId)
    .describe()
    .catch((error: unknown) => {
      if (error instanceof WorkflowNotFoundError) return { raw: { pendingActivities: [] } };
      throw failure(
        'ServerAway',
        `${activityType}: the server did not say whether it still wants this attempt's result: ${messageOf(error)}`,
      );
    });
  const pending = raw.pendingActivities?.find((activity) => activity.activityId === activityId);
  if (pending?.attempt === attempt) return;
  const now = pending ? `waits for attempt ${pending.attempt}` : 'waits for no attempt';
  throw failure('AttemptGivenUp', `${activityType}: attempt ${attempt} was superseded: the server ${now}`);
}
