import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.ts';
import type { Config } from './config.ts';
import { failpointsInForce } from './failpoints.ts';
import { reapOrphans } from './process/reap.ts';
import { sweepBuilding } from './run-directory/building.ts';
import { readRootId } from './run-directory/root.ts';
import { nodeTag } from './stage/tags.ts';
import { nodeQueue, taskQueue } from './temporal/task-queues.ts';

/** The composition root: one process that polls for workflows, for activities, or for both. */

export interface WorkerRoles {
  workflows: boolean;
  activities: boolean;
}

/** Polls until SIGINT or SIGTERM. Throws NotARoot where GAVEL_ROOT is not what it should be. */
export async function runWorker(
  config: Config,
  roles: WorkerRoles,
  onReady: (queue: string) => void = () => undefined,
): Promise<void> {
  const root_id = readRootId(config.root);
  const broken = [...failpointsInForce()];
  if (broken.length > 0)
    console.warn(`GAVEL_FAILPOINTS switches these guarantees off, which only tests should do: ${broken.join(', ')}.`);
  if (roles.activities) {
    // A node that comes back may still have what its killed worker started, on GPUs that are wanted now.
    const reaped = await reapOrphans(nodeTag(config.node, config.root));
    if (reaped > 0) console.log(`Ended ${reaped} processes that an earlier worker of this node had left behind.`);
    const swept = await sweepBuilding(config.root);
    if (swept > 0) console.log(`Removed ${swept} unfinished run folders of workers that were killed.`);
  }
  const { connectionOptions, namespace = 'default' } = loadClientConnectConfig();
  Runtime.install({ shutdownSignals: ['SIGINT', 'SIGTERM'] });
  // The runtime takes its listeners away at the first signal. A second one (schedulers signal a whole job, wrappers pass theirs
  // on) would then end the process at once, and its trainer before the commit.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const client = new Client({ connection, namespace });
    const activities = createActivities({ config, root_id, client, namespace });
    const common: WorkerOptions = {
      connection,
      namespace,
      taskQueue: taskQueue(root_id),
      identity: `${config.node}:${process.pid}`,
      // A cancellation reaches a child within a third of a second, and a status is at most a second old.
      maxHeartbeatThrottleInterval: '1s',
      defaultHeartbeatThrottleInterval: '1s',
      // The delay before activities are told to end: none, since a preempted node has 30 s in all.
      shutdownGraceTime: 0,
      shutdownForceTime: '28s',
      // A dead worker keeps its workflows' next tasks for this long; the default of 10 s would be felt at each loss.
      stickyQueueScheduleToStartTimeout: '1s',
      // The server hands tasks to every poll that is open, also to those of a worker that was stopped or cut off: each such
      // task is lost until it times out. With one poll at a time a dead worker swallows one.
      maxConcurrentActivityTaskPolls: 1,
    };
    const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
    const workers = [
      await Worker.create({
        ...common,
        ...(roles.workflows && { workflowsPath }),
        ...(roles.activities && { activities }),
      }),
    ];
    if (roles.activities) {
      workers.push(
        await Worker.create({
          ...common,
          activities,
          taskQueue: nodeQueue(root_id, config.node),
          // No other worker serves this queue, so more polls take tasks from none. After an outage each poll tries again at its
          // own moment, up to 12 s apart: the first of three comes some seconds sooner than one alone.
          maxConcurrentActivityTaskPolls: 3,
        }),
      );
    }
    const running = workers.map((worker) => worker.run());
    onReady(taskQueue(root_id));
    await Promise.all(running);
  } finally {
    await connection.close();
  }
}
