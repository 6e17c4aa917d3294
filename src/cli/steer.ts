import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { loadConfig } from '../config.ts';
import { messageOf } from '../failures.ts';
import { connect } from './connect.ts';
import { CliError } from './exit.ts';
import { pathsOf } from './watch/follow-run.ts';
import { workflowIdOf } from './watch/view-from-server.ts';

/** Says one thing to the workflow of a run that goes on; throws CliError where there is none. */
export async function steer<T>(run: string, say: (handle: WorkflowHandle) => Promise<T>): Promise<T> {
  const config = loadConfig();
  // Checks the name before it becomes part of a workflow's id.
  pathsOf(config, run);
  const server = await connect(config);
  try {
    const handle = server.client.workflow.getHandle(workflowIdOf(run));
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') {
      throw new CliError(`Expected run ${run} to be going on, found it ${status.name.toLowerCase()}.`, {
        hint: `See it with \`gavel status ${run}\`; go on with it by \`gavel run runs/${run}/spec.json --resume\`.`,
      });
    }
    return await say(handle);
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof WorkflowNotFoundError) {
      throw new CliError(`There is no run ${run} on this server.`, { hint: '`gavel status` lists the runs.' });
    }
    throw new CliError(`The run ${run} did not take the message: ${messageOf(error)}.`, {
      hint: 'Is a worker with workflows running? `gavel doctor` says.',
    });
  } finally {
    await server.close();
  }
}
