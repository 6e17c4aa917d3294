import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { nodeQueue } from '../src/config.ts';
import { failure } from '../src/failures.ts';
import { leaseGpus, listGpus, releaseGpus } from '../src/gpus.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { clearStop } from '../src/run-directory/stop.ts';
import type { Dependencies } from './dependencies.ts';

export interface ReserveNodeInput {
  run: string;
  stage: string;
  gpus: number;
  /** Workflow id of the stage: who holds the lease. */
  owner: string;
  /** Nodes that will be taken away soon. */
  avoid: string[];
}

export interface Reservation {
  node: string;
  task_queue: string;
  gpus: string[];
}

// GPUs come free when a stage somewhere else ends; a few seconds more do not matter then.
const RETRY_MS = 3000;
// The attempts at this activity go to whichever worker asks first. So many, 20 s in all, give every node its turn.
const ATTEMPTS_TO_FIND_A_NODE = 12;

/** Leases all GPUs that a stage needs on this worker's node, all or nothing, waiting while they are taken. */
export const reserveNode = (dependencies: Dependencies) =>
  async function reserveNode({ run, stage, gpus: count, owner, avoid }: ReserveNodeInput): Promise<Reservation> {
    const { config, client } = dependencies;
    const context = Context.current();
    const { node, root } = config;
    const asked_around = context.info.attempt > ATTEMPTS_TO_FIND_A_NODE;
    // Where there is no other node, one that may be taken away is better than none.
    if (avoid.includes(node) && !asked_around) {
      throw failure('NodeLeaving', `Node ${node} will be taken away: another one is asked`, {}, { retry: true });
    }
    const list = () => listGpus({ injected: config.gpus, visible: config.cuda_visible_devices });
    const present = count === 0 ? [] : await list();
    if (present.length < count) {
      throw failure(
        'NotEnoughGpus',
        `placement: ${stage} needs ${count} GPUs at once; node ${node} has ${present.length}` +
          (asked_around ? ', and no other node with more took the work' : ''),
        {},
        { retry: !asked_around },
      );
    }
    // From here on this attempt is the one that counts: what an earlier one was asked does not concern it.
    await clearStop(runPaths(root, run), stage);
    const place = { node, task_queue: nodeQueue(node) };
    if (count === 0) return { ...place, gpus: [] };
    const isAlive = (id: string) => isRunning(client, id);
    for (let waited = 0; ; waited += RETRY_MS / 1000) {
      const { leased } = await leaseGpus({ root, node, count, owner, gpus: await list(), isAlive });
      if (leased) return { ...place, gpus: leased };
      context.heartbeat({
        stage,
        epoch: null,
        phase: 'wait',
        step: 0,
        total: 0,
        metrics: {},
        waiting: { for: 'gpu', seconds: waited },
        checkpoint: null,
        processes: [],
      });
      await sleep(RETRY_MS, undefined, { signal: context.cancellationSignal });
    }
  };

/** Whether a workflow runs. A server that does not answer says nothing, so its leases stay; one that knows none does. */
async function isRunning(client: Client, id: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(id).describe()).status.name === 'RUNNING';
  } catch (error) {
    return !(error instanceof WorkflowNotFoundError);
  }
}

/** Gives back everything that a stage has leased on a node. */
export const releaseNode = ({ config }: Dependencies) =>
  async function releaseNode({ node, owner }: { node: string; owner: string }): Promise<void> {
    await releaseGpus({ root: config.root, node, owner });
  };
