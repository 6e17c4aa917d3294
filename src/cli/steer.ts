import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { type Config, loadConfig } from '../config.ts';
import { messageOf } from '../failures.ts';
import { connect } from './connect.ts';
import { CliError } from './exit.ts';
import { queueIfAny } from './root.ts';
import { pathsOf } from './watch/follow-run.ts';
import { workflowIdOf } from './watch/view-from-server.ts';

/** Sends one request to the workflow of a run that is going on; throws CliError where there is none. */
export async function steer<T>(run: string, say: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
  const config = loadConfig();
  // Checks the name before it becomes part of a workflow's id.
  pathsOf(config, run);
  const server = await connect(config);
  try {
    const handle = server.client.workflow.getHandle(workflowIdOf(run));
    const { status, taskQueue } = await handle.describe();
    refuseOthers(config, run, taskQueue);
    if (status.name !== 'RUNNING') {
      throw new CliError(`Expected run ${run} to be going on, found it ${status.name.toLowerCase()}.`, {
        hint: `See it with \`gavel status ${run}\`; continue it with \`gavel run runs/${run}/spec.json --resume\`.`,
      });
    }
    return await say(handle);
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof WorkflowNotFoundError) {
      throw new CliError(`There is no run ${run} on this server.`, { hint: '`gavel status` lists the runs.' });
    }
    throw new CliError(`Run ${run} did not accept the request: ${messageOf(error)}.`, {
      hint: 'Check with `gavel doctor` that a worker with workflows runs.',
    });
  } finally {
    await server.close();
  }
}

/** A run of another root in the same namespace may have the same name. Outside of any root the name can mean only that one. */
function refuseOthers(config: Config, run: string, found: string): void {
  const own = queueIfAny(config);
  if (own === null || own === found) return;
  throw new CliError(
    `Expected run ${run} on the task queue ${own} of this root, found it on ${found}: another root's.`,
    {
      hint: 'Set GAVEL_ROOT to its root, or GAVEL_TASK_QUEUE to its queue.',
    },
  );
}
