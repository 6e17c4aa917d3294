import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { Claim } from '../src/contracts/reservation.ts';
import type { Heartbeat } from '../src/contracts/status.ts';
import { failure } from '../src/failures.ts';
import { mostGpus, noteGpus } from '../src/gpus/lease-folder.ts';
import { leaseGpus, releaseClaim, releaseReservation, releaseSuperseded } from '../src/gpus/leases.ts';
import { GpusUnknown, listGpus } from '../src/gpus/list.ts';
import { nodeQueue } from '../src/temporal/task-queues.ts';
import { workflowRuns } from '../src/temporal/workflow-runs.ts';
import type { Dependencies } from './dependencies.ts';
import { refuseIfGivenUp } from './still-asked.ts';
import { whileBeating } from './while-beating.ts';
import { workflowOwner } from './workflow-owner.ts';

export interface ReserveNodeInput {
  stage: string;
  gpus: number;
  /** Id that the stage's workflow has made: whatever is leased, released or stopped later is named by it. */
  reservation: string;
  /** Nodes that will be preempted soon. */
  avoid: string[];
  /** Nodes where the stage's work failed: none of them is taken, even where there is no other. */
  failed_on: string[];
}

/** Where a stage may work, and on which GPUs. */
export interface Place {
  node: string;
  task_queue: string;
  gpus: string[];
}

// GPUs come free when a stage somewhere else ends; a few seconds more do not matter then.
const RETRY_MS = 2000;
// After this time another node is asked; the place in this node's line is kept for a while.
const WAIT_HERE_MS = 20_000;
const BEAT_MS = 1000;
// Each attempt at this activity goes to the worker that polls first. This many, 20 s in all, give every node its turn.
const ATTEMPTS_TO_FIND_A_NODE = 12;

/** Leases all GPUs that a stage needs on this worker's node, all or nothing, waiting while they are taken. */
export const reserveNode = (dependencies: Dependencies) =>
  async function reserveNode(input: ReserveNodeInput): Promise<Place> {
    const context = Context.current();
    const began = Date.now();
    const beat = () => context.heartbeat(waiting(input.stage, (Date.now() - began) / 1000));
    return whileBeating(BEAT_MS, beat, () => reserve(dependencies, input));
  };

async function reserve(dependencies: Dependencies, input: ReserveNodeInput): Promise<Place> {
  const { config, root_id, client } = dependencies;
  const { stage, gpus: count, avoid, failed_on } = input;
  const { node, root } = config;
  const { info, cancellationSignal } = Context.current();
  const asked_around = info.attempt > ATTEMPTS_TO_FIND_A_NODE;
  if (failed_on.includes(node)) {
    const asked = `${stage} failed on node ${node}: another one is asked`;
    throw failure('NoOtherNode', `${asked}${asked_around ? ', and none came' : ''}`, {}, { retry: !asked_around });
  }
  // Where there is no other node, one that will be preempted is better than none.
  if (avoid.includes(node) && !asked_around) {
    throw failure(
      'NodeLeaving',
      `Node ${node} has had notice of its end, so another node is asked`,
      {},
      { retry: true },
    );
  }
  const list = () =>
    listGpus({ injected: config.gpus, visible: config.cuda_visible_devices }).catch((error: unknown) => {
      throw error instanceof GpusUnknown ? failure('GpusUnknown', `Node ${node}: ${error.message}`) : error;
    });
  const present = count === 0 ? [] : await list();
  if (count > 0) await noteGpus(root, node, present.length);
  if (present.length < count) {
    // The stage waits for a larger node that is busy or away. It does not wait for one that has never been seen.
    const nowhere = asked_around && (await mostGpus(root)) < count;
    const found = `placement: ${stage} needs ${count} GPUs at once; node ${node} has ${present.length}`;
    throw failure('NotEnoughGpus', `${found}${nowhere ? ', and no node has more' : ''}`, {}, { retry: !nowhere });
  }
  await refuseIfGivenUp(client);
  const place = { node, task_queue: nodeQueue(root_id, node) };
  if (count === 0) return { ...place, gpus: [] };
  const claim = await claimOf(dependencies, input.reservation);
  const until = Date.now() + WAIT_HERE_MS;
  for (;;) {
    const request = { root, node, count, claim, gpus: await list() };
    const { leased, why } = await leaseGpus({ ...request, workflowRuns: workflowRuns.bind(null, client) });
    if (leased) {
      // A superseded attempt releases what it has just leased: its reservation may be over, and then no other code releases it.
      await refuseIfGivenUp(client).catch(async (error: unknown) => {
        await releaseClaim(root, claim);
        throw error;
      });
      // A worker that fell silent may have leased for the same stage, on its own node, at the last moment.
      await releaseSuperseded(root, claim);
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

async function claimOf(dependencies: Dependencies, reservation: string): Promise<Claim> {
  const { attempt } = Context.current().info;
  return { root: dependencies.root_id, owner: await workflowOwner(dependencies), reservation, attempt };
}

export interface ReleaseNodeInput {
  reservation: string;
}

/** Releases everything that a reservation has leased or waits for, on any node. */
export const releaseNode = ({ config, root_id }: Dependencies) =>
  async function releaseNode({ reservation }: ReleaseNodeInput): Promise<void> {
    await releaseReservation(config.root, root_id, reservation);
  };
