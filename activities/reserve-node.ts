import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Heartbeat } from '../src/contracts/status.ts';
import { failure } from '../src/failures.ts';
import { leaseGpus, mostGpus, noteGpus, releaseGpus } from '../src/gpus/leases.ts';
import { listGpus } from '../src/gpus/list.ts';
import { runPaths } from '../src/run-directory/paths.ts';
import { clearStop } from '../src/run-directory/stop.ts';
import { nodeQueue } from '../src/temporal/task-queues.ts';
import type { Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';
import { whileBeating } from './while-beating.ts';

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
const RETRY_MS = 2000;
// After so long another node is asked; the place in this node's line is kept for a while.
const WAIT_HERE_MS = 20_000;
const BEAT_MS = 1000;
// The attempts at this activity go to whichever worker asks first. So many, 20 s in all, give every node its turn.
const ATTEMPTS_TO_FIND_A_NODE = 12;

/** Leases all GPUs that a stage needs on this worker's node, all or nothing, waiting while they are taken. */
export const reserveNode = (dependencies: Dependencies) =>
  async function reserveNode(input: ReserveNodeInput): Promise<Reservation> {
    const context = Context.current();
    const began = Date.now();
    const beat = () => context.heartbeat(waiting(input.stage, (Date.now() - began) / 1000));
    return whileBeating(BEAT_MS, beat, () => reserve(dependencies, input));
  };

async function reserve({ config, root_id, client }: Dependencies, input: ReserveNodeInput): Promise<Reservation> {
  const { run, stage, gpus: count, owner, avoid } = input;
  const { node, root } = config;
  const { info, cancellationSignal } = Context.current();
  const asked_around = info.attempt > ATTEMPTS_TO_FIND_A_NODE;
  // Where there is no other node, one that may be taken away is better than none.
  if (avoid.includes(node) && !asked_around) {
    throw failure('NodeLeaving', `Node ${node} will be taken away: another one is asked`, {}, { retry: true });
  }
  const list = () => listGpus({ injected: config.gpus, visible: config.cuda_visible_devices });
  const present = count === 0 ? [] : await list();
  if (count > 0) await noteGpus(root, node, present.length);
  if (present.length < count) {
    // A larger node that is busy, or away for the moment, is waited for; one that nobody has ever seen is not.
    const nowhere = asked_around && (await mostGpus(root)) < count;
    const lack = `placement: ${stage} needs ${count} GPUs at once; node ${node} has ${present.length}`;
    throw failure('NotEnoughGpus', `${lack}${nowhere ? ', and no node has more' : ''}`, {}, { retry: !nowhere });
  }
  await refuseIfGivenUp(client);
  // From here on this attempt is the one that counts: what an earlier one was asked does not concern it.
  await clearStop(runPaths(root, run), stage);
  const place = { node, task_queue: nodeQueue(root_id, node) };
  if (count === 0) return { ...place, gpus: [] };
  const isAlive = (id: string) => isRunning(client, id);
  const until = Date.now() + WAIT_HERE_MS;
  for (;;) {
    const { leased, why } = await leaseGpus({ root, node, count, owner, gpus: await list(), isAlive });
    if (leased) {
      // Given up meanwhile, it must not take from the stage what that holds elsewhere; what was leased here goes with the stage.
      await refuseIfGivenUp(client);
      // A worker that fell silent may have leased for the same stage, on its own node, at the last moment.
      await releaseGpus({ root, owner, except: node });
      return { ...place, gpus: leased };
    }
    if (Date.now() > until) throw failure('GpusTaken', why);
    await sleep(RETRY_MS, undefined, { signal: cancellationSignal });
  }
}

const waiting = (stage: string, seconds: number): Heartbeat => ({
  stage,
  epoch: null,
  phase: 'wait',
  step: 0,
  total: 0,
  metrics: {},
  waiting: { for: 'gpu', seconds: Math.round(seconds) },
  checkpoint: null,
  processes: [],
});

/** Whether a workflow runs. A server that does not answer says nothing, so its leases stay; one that knows none does. */
async function isRunning(client: Client, id: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(id).describe()).status.name === 'RUNNING';
  } catch (error) {
    return !(error instanceof WorkflowNotFoundError);
  }
}

/** Gives back everything that a stage has leased or waits for, on whichever node. */
export const releaseNode = ({ config }: Dependencies) =>
  async function releaseNode({ owner }: { owner: string }): Promise<void> {
    await releaseGpus({ root: config.root, owner });
  };
