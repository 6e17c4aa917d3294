import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { nodeQueue } from '../src/config.ts';
import { failure } from '../src/failures.ts';
import { leaseGpus, listGpus, releaseGpus } from '../src/gpus.ts';
import type { Dependencies } from './dependencies.ts';

export interface ReserveNodeInput {
  run: string;
  stage: string;
  gpus: number;
  /** Workflow id of the stage: who holds the lease. */
  owner: string;
}

export interface Reservation {
  node: string;
  task_queue: string;
  gpus: string[];
}

// GPUs come free when a stage somewhere else ends; a few seconds more do not matter then.
const RETRY_MS = 3000;

/** Leases all GPUs that a stage needs on this worker's node, all or nothing, waiting while they are taken. */
export const reserveNode = (dependencies: Dependencies) =>
  async function reserveNode({ stage, gpus: count, owner }: ReserveNodeInput): Promise<Reservation> {
    const { config, client } = dependencies;
    const context = Context.current();
    const { node, root } = config;
    const place = { node, task_queue: nodeQueue(node) };
    if (count === 0) return { ...place, gpus: [] };
    const list = () => listGpus({ injected: config.gpus, visible: config.cuda_visible_devices });
    const present = await list();
    if (present.length < count) {
      throw failure(
        'NotEnoughGpus',
        `placement: ${stage} needs ${count} GPUs at once; node ${node} has ${present.length}`,
      );
    }
    const isAlive = async (id: string) => {
      const description = await client.workflow
        .getHandle(id)
        .describe()
        .catch(() => null);
      return description === null || description.status.name === 'RUNNING';
    };
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

/** Gives back everything that a stage has leased on a node. */
export const releaseNode = ({ config }: Dependencies) =>
  async function releaseNode({ node, owner }: { node: string; owner: string }): Promise<void> {
    await releaseGpus({ root: config.root, node, owner });
  };
