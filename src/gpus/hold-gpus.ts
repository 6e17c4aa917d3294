import { randomUUID } from 'node:crypto';
import type { Claim } from '../contracts/reservation.ts';
import { machineName, processName } from '../process/stat.ts';
import { readRootId } from '../run-directory/root.ts';
import { leaseFolder } from './lease-folder.ts';
import { leaseGpus, releaseClaim } from './leases.ts';
import type { Gpu } from './list.ts';
import { beat, beat_ms, endBeat, sweepBeats } from './owner-lives.ts';

/** GPUs for a command without a workflow (`gavel serve`): leased in the same place, by the same rules. */

export interface HeldGpus {
  /** UUIDs. */
  gpus: string[];
  /** Releases them. */
  release(): Promise<void>;
}

/** Not enough GPUs are free; the message names their holders. */
export class GpusNotFree extends Error {
  override name = 'GpusNotFree';
}

/**
 * Leases `count` GPUs of this node for as long as this process lives, or throws GpusNotFree; it does not wait. Others know a
 * process that has died by its id and start time, or, from another machine, by a beat that has stopped.
 */
export async function holdGpus(request: {
  /** Path of the root. */
  root: string;
  node: string;
  count: number;
  /** What others that want the GPUs are shown, for example "gavel serve my-run". */
  purpose: string;
  /** What listGpus says. */
  gpus: readonly Gpu[];
}): Promise<HeldGpus> {
  const { root, node, count, purpose, gpus } = request;
  const folder = leaseFolder(root, node);
  const claim: Claim = {
    root: readRootId(root),
    owner: { kind: 'process', machine: machineName(), process: processName(process.pid) ?? `${process.pid}:`, purpose },
    reservation: randomUUID(),
    attempt: 1,
  };
  if (count === 0) return { gpus: [], release: async () => {} };
  let number = 0;
  await beat(folder, claim, number);
  await sweepBeats(folder, claim).catch(() => undefined);
  const beating = setInterval(() => {
    number += 1;
    // A disk that fails for a moment is tried again at the next beat.
    beat(folder, claim, number).catch(() => undefined);
  }, beat_ms);
  beating.unref();
  const release = async () => {
    clearInterval(beating);
    await releaseClaim(root, claim);
    await endBeat(folder, claim);
  };
  try {
    // Without a Temporal server no workflow can be looked up here, so all count as running.
    const { leased, why } = await leaseGpus({ root, node, count, claim, gpus, workflowRuns: async () => true });
    if (leased) return { gpus: leased, release };
    throw new GpusNotFree(why);
  } catch (error) {
    await release();
    throw error;
  }
}
