import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { failpoint } from '../failpoints.ts';
import { orNull, writeAtomic } from '../run-directory/files.ts';
import type { Gpu } from './list.ts';

const GPU_COUNT = 'gpu-count';

/** Who has which GPU of a node: one file for each, created exclusively under <root>/.gavel/leases/<node>/. */

const LeaseFile = z.strictObject({ uuid: z.string(), node: z.string(), owner: z.string(), at: z.string() });
export type Lease = { leased: string[]; why: null } | { leased: null; why: string };

/**
 * A waiter asks again every second or two. One that has not for this long has gone to another node or died, and the next in
 * line moves up.
 */
const waiterGone_ms = 30_000;
/** An unreadable lease this old was left by a taker that died in mid-write. */
const halfWritten_ms = 10_000;

export interface LeaseRequest {
  root: string;
  node: string;
  count: number;
  /** Workflow id and run of the one who leases, and what for. The same owner asking again gets the same GPUs. */
  owner: string;
  /** What listGpus says. */
  gpus: readonly Gpu[];
  /** false: the owner's workflow is closed, so its leases are void. */
  isAlive: (owner: string) => Promise<boolean>;
}

/**
 * Leases `count` GPUs or none. Never waits: `leased: null` says why, and the caller asks again (every second or two).
 * First come, first served: whoever asked first and still asks is served before all others, so that a large request is not
 * starved by small ones.
 */
export async function leaseGpus({ root, node, count, owner, gpus, isAlive }: LeaseRequest): Promise<Lease> {
  const folder = leaseFolder(root, node);
  await mkdir(join(folder, 'queue'), { recursive: true });
  const held = await readLeases(folder);
  const own = held.filter((lease) => lease.owner === owner).map((lease) => lease.uuid);
  if (own.length === count) return { leased: own.sort(), why: null };
  for (const uuid of own) await rm(join(folder, leaseName(uuid)), { force: true });
  if (count === 0) return { leased: [], why: null };
  if (gpus.length < count) {
    return { leased: null, why: `${node} has ${gpus.length} GPUs that gavel may use; ${count} are asked for.` };
  }
  const ticket = await takeTicket(folder, owner);
  const first = await firstInLine(folder, isAlive);
  if (first !== ticket.name) return { leased: null, why: `${node}: ${ownerOfTicket(first)} asked first.` };

  const taken: string[] = [];
  const refused: string[] = [];
  // In one order for everybody: two who race meet at the first GPU.
  for (const gpu of [...gpus].sort((a, b) => (a.uuid < b.uuid ? -1 : 1))) {
    if (taken.length === count) break;
    const other = held.find((lease) => lease.uuid === gpu.uuid && lease.owner !== owner);
    if (other && !(await isAlive(other.owner))) await breakLease(folder, other);
    else if (other) {
      refused.push(`${gpu.uuid} is leased by ${other.owner}`);
      continue;
    }
    if (gpu.used_by !== null) refused.push(`${gpu.uuid} is in use by ${gpu.used_by}`);
    else if (await createLease(folder, node, gpu.uuid, owner)) taken.push(gpu.uuid);
    else refused.push(`${gpu.uuid} was just leased`);
  }
  if (taken.length < count) {
    for (const uuid of taken) await rm(join(folder, leaseName(uuid)), { force: true });
    return {
      leased: null,
      why: `${node}: ${count} GPUs are asked for, ${taken.length} are free: ${refused.join('; ')}.`,
    };
  }
  await rm(join(folder, 'queue', ticket.name), { force: true });
  return { leased: taken, why: null };
}

interface Release {
  root: string;
  owner: string;
  except?: string;
}

/** Notes how many GPUs a node has, so that others can tell "nowhere" from "not here". */
export async function noteGpus(root: string, node: string, count: number): Promise<void> {
  const folder = leaseFolder(root, node);
  await mkdir(folder, { recursive: true });
  await writeAtomic(join(folder, GPU_COUNT), String(count));
}

/** The most GPUs that any node of this root ever said it has. */
export async function mostGpus(root: string): Promise<number> {
  const folder = join(root, '.gavel', 'leases');
  const counts = await Promise.all(
    ((await readdir(folder).catch(orNull)) ?? []).map((node) =>
      readFile(join(folder, node, GPU_COUNT), 'utf8').then(Number, () => 0),
    ),
  );
  return Math.max(0, ...counts);
}

/** Gives back all that `owner` holds or waits for, on every node but `except`. */
export async function releaseGpus({ root, owner, except }: Release) {
  const nodes = (await readdir(join(root, '.gavel', 'leases')).catch(orNull)) ?? [];
  const folders = nodes.map((name) => join(root, '.gavel', 'leases', name));
  const spared = except === undefined ? null : leaseFolder(root, except);
  for (const folder of folders) if (folder !== spared) await release(folder, owner);
}

async function release(folder: string, owner: string) {
  if (failpoint('keep-leases')) return;
  for (const lease of await readLeases(folder)) {
    if (lease.owner === owner) await rm(join(folder, leaseName(lease.uuid)), { force: true });
  }
  for (const name of (await readdir(join(folder, 'queue')).catch(orNull)) ?? []) {
    if (ownerOfTicket(name) === owner) await rm(join(folder, 'queue', name), { force: true });
  }
}

const leaseFolder = (root: string, node: string) => join(root, '.gavel', 'leases', encodeURIComponent(node));
const leaseName = (uuid: string) => `${encodeURIComponent(uuid)}.json`;

async function createLease(folder: string, node: string, uuid: string, owner: string) {
  try {
    const file = await open(join(folder, leaseName(uuid)), 'wx');
    await file.writeFile(`${JSON.stringify({ uuid, node, owner, at: new Date().toISOString() })}\n`);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readLeases(folder: string) {
  const leases: z.output<typeof LeaseFile>[] = [];
  for (const name of (await readdir(folder).catch(orNull)) ?? []) {
    if (!name.endsWith('.json')) continue;
    const path = join(folder, name);
    const text = await readFile(path, 'utf8').catch(orNull);
    if (text === null) continue;
    const lease = parseLease(text);
    if (lease) leases.push(lease);
    else if (Date.now() - ((await stat(path).catch(orNull))?.mtimeMs ?? Date.now()) > halfWritten_ms) {
      await rm(path, { force: true });
    }
  }
  return leases;
}

function parseLease(text: string) {
  try {
    return LeaseFile.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** Removes the lease that was seen, and only that one: another may have broken it and leased the GPU in the meantime. */
async function breakLease(folder: string, seen: { uuid: string; owner: string; at: string }) {
  const path = join(folder, leaseName(seen.uuid));
  const aside = join(folder, `.broken-${randomUUID()}`);
  if ((await rename(path, aside).then(() => true, orNull)) === null) return;
  const moved = parseLease(await readFile(aside, 'utf8'));
  if (moved && (moved.owner !== seen.owner || moved.at !== seen.at)) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

/** The owner's place in the line, made on the first call and kept fresh by the later ones. */
async function takeTicket(folder: string, owner: string) {
  const queue = join(folder, 'queue');
  const mine = (await readdir(queue)).sort().find((name) => ownerOfTicket(name) === owner);
  const name =
    mine ?? `${String(Date.now()).padStart(15, '0')}-${randomUUID().slice(0, 8)}-${encodeURIComponent(owner)}`;
  if (mine) await utimes(join(queue, name), new Date(), new Date());
  else await (await open(join(queue, name), 'w')).close();
  return { name };
}

const ownerOfTicket = (name: string) => decodeURIComponent(name.slice('000000000000000-00000000-'.length));

async function firstInLine(folder: string, isAlive: LeaseRequest['isAlive']) {
  const queue = join(folder, 'queue');
  for (const name of (await readdir(queue)).sort()) {
    const seen = await stat(join(queue, name)).catch(orNull);
    if (!seen) continue;
    if (Date.now() - seen.mtimeMs < waiterGone_ms && (await isAlive(ownerOfTicket(name)))) return name;
    await rm(join(queue, name), { force: true });
  }
  return '';
}
