import { mkdir } from 'node:fs/promises';
import type { Claim, Owner } from '../contracts/reservation.ts';
import { failpoint } from '../failpoints.ts';
import { isSame, nameOf, supersedes } from './claims.ts';
import { createLease, type Lease, readLeases, removeLease } from './lease-files.ts';
import { leaseFolder, leaseFolders } from './lease-folder.ts';
import type { Gpu } from './list.ts';
import { ownerLives, type WorkflowRuns } from './owner-lives.ts';
import { outOfReach } from './strangers.ts';
import { firstInLine, keepPlace, leaveLine } from './waiting-line.ts';

/** Leases on the GPUs of a node. A late call names a reservation that is over, and therefore changes nothing. */

export type Leased = { leased: string[]; why: null } | { leased: null; why: string };

export interface LeaseRequest {
  /** Path of the root. */
  root: string;
  node: string;
  count: number;
  claim: Claim;
  /** What listGpus says. */
  gpus: readonly Gpu[];
  workflowRuns: WorkflowRuns;
}

/**
 * Leases `count` GPUs or none; the same claim asking again gets the same ones. Never waits: `leased: null` says why, and the
 * caller asks again (every second or two). First come, first served: the caller that asked first and still asks is served before all
 * others, so that a large request is not starved by small ones. One that cannot be served because of processes that gavel did not
 * start keeps no other request waiting.
 */
export async function leaseGpus(request: LeaseRequest): Promise<Leased> {
  const { root, node, count, claim, gpus, workflowRuns } = request;
  const folder = leaseFolder(root, node);
  await mkdir(folder, { recursive: true });
  const own = (await readLeases(folder)).filter(({ file }) => isSame(file.claim, claim));
  if (own.length === count) return { leased: own.map(({ file }) => file.uuid).sort(), why: null };
  for (const lease of own) await removeLease(lease);
  if (count === 0) return { leased: [], why: null };
  if (gpus.length < count) {
    return { leased: null, why: `${node} has ${gpus.length} GPUs that gavel may use; ${count} are asked for.` };
  }
  const place = await keepPlace(folder, claim, count);
  const lives = (other: Claim) => ownerLives(folder, other, workflowRuns);
  const first = await firstInLine(folder, claim, lives, await outOfReach(folder, gpus));
  if (first?.name !== place) {
    return { leased: null, why: `${node}: ${first?.claim ? nameOf(first.claim.owner) : 'another one'} asked first.` };
  }
  const { taken, refused } = await take(folder, request);
  if (taken.length < count) {
    await release(folder, (other) => isSame(other, claim), { line: false });
    return {
      leased: null,
      why: `${node}: ${count} GPUs are asked for, ${taken.length} are free: ${refused.join('; ')}.`,
    };
  }
  await leaveLine(folder, (other) => isSame(other, claim));
  return { leased: taken, why: null };
}

async function take(folder: string, { node, count, claim, gpus, workflowRuns }: LeaseRequest) {
  /** Owner of the first lease in force; null where there is none, and those that are void have been removed. */
  const holderOf = async (leases: Lease[]): Promise<Owner | null> => {
    for (const lease of leases) {
      const other = lease.file.claim;
      // A lease with another root's id came with a copy of that root's folder.
      const isVoid = other.root !== claim.root || supersedes(claim, other);
      if (!isVoid && (await ownerLives(folder, other, workflowRuns))) return other.owner;
      await removeLease(lease);
    }
    return null;
  };
  const held = await readLeases(folder);
  const taken: string[] = [];
  const refused: string[] = [];
  // All callers lease in one order, so two that race meet at the first GPU.
  for (const gpu of [...gpus].sort((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    if (taken.length === count) break;
    const holder = await holderOf(held.filter(({ file }) => file.uuid === gpu.uuid));
    if (holder !== null) refused.push(`${gpu.uuid} is leased by ${nameOf(holder)}`);
    else if (gpu.used_by !== null) refused.push(`${gpu.uuid} is in use by ${gpu.used_by}`);
    else if (await createLease(folder, node, gpu.uuid, claim)) taken.push(gpu.uuid);
    else refused.push(`${gpu.uuid} was just leased`);
  }
  return { taken, refused };
}

/** Releases what one attempt at a reservation holds or waits for. */
export const releaseClaim = (root: string, claim: Claim): Promise<void> =>
  releaseWhere(root, (other) => isSame(other, claim));

/** Releases what a reservation holds or waits for, on every node. */
export const releaseReservation = (root: string, id: string, reservation: string): Promise<void> =>
  releaseWhere(root, (other) => other.root === id && other.reservation === reservation);

/** Releases what earlier attempts and reservations of the claim's owner still hold, on every node. */
export const releaseSuperseded = (root: string, claim: Claim): Promise<void> =>
  releaseWhere(root, (other) => supersedes(claim, other));

async function releaseWhere(root: string, belongs: (claim: Claim) => boolean): Promise<void> {
  if (failpoint('keep-leases')) return;
  for (const folder of await leaseFolders(root)) await release(folder, belongs, { line: true });
}

async function release(folder: string, belongs: (claim: Claim) => boolean, { line }: { line: boolean }) {
  // Somebody else's removal may just be moving a lease: it is found under its new name then.
  for (let tries = 0; tries < 3; tries += 1) {
    const own = (await readLeases(folder)).filter(({ file }) => belongs(file.claim));
    if (own.length === 0) break;
    for (const lease of own) await removeLease(lease);
  }
  if (line) await leaveLine(folder, belongs);
}
