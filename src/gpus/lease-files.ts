import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Claim, LeaseFile } from '../contracts/reservation.ts';
import { orNull, writeExclusive } from '../run-directory/files.ts';
import { forgetStill, stillFor } from './still.ts';

/**
 * One file for each leased GPU of a node, created exclusively. Removing one takes two steps, and a file of a name of its own in
 * between is a lease as well: the remover may have moved another lease than the one that it had seen.
 */

/** A lease that cannot be read and has not changed for this long was damaged, or its taker died while it wrote it. */
const unreadable_ms = 10_000;

export interface Lease {
  /** Path of its file. */
  path: string;
  file: LeaseFile;
}

const pathOf = (folder: string, uuid: string) => join(folder, `${encodeURIComponent(uuid)}.json`);

/** Returns false where the GPU is leased. */
export async function createLease(folder: string, node: string, uuid: string, claim: Claim): Promise<boolean> {
  const file: LeaseFile = { uuid, node, claim, at: new Date().toISOString() };
  const path = pathOf(folder, uuid);
  if (!(await writeExclusive(path, file))) return false;
  // The name may have been free only because somebody is just moving a lease that holds the GPU.
  const others = (await readLeases(folder)).filter((other) => other.file.uuid === uuid && other.path !== path);
  if (others.length === 0) return true;
  await removeLease({ path, file });
  return false;
}

export async function readLeases(folder: string): Promise<Lease[]> {
  const leases: Lease[] = [];
  for (const name of (await readdir(folder).catch(orNull)) ?? []) {
    // A name with a dot in front is one that is being written.
    if (!name.endsWith('.json') || name.startsWith('.')) continue;
    const path = join(folder, name);
    const text = await readFile(path, 'utf8').catch(orNull);
    if (text === null) continue;
    const file = parse(text);
    if (file) leases.push({ path, file });
    else if (stillFor(path, text) > unreadable_ms) await remove(path, (moved) => moved === null);
  }
  return leases;
}

function parse(text: string): LeaseFile | null {
  try {
    return LeaseFile.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** Removes the lease that was seen, and only that one: another may have removed it and leased the GPU in the meantime. */
export const removeLease = ({ path, file }: Lease): Promise<void> =>
  remove(path, (moved) => moved === null || isDeepStrictEqual(moved, file));

async function remove(path: string, isMeant: (moved: LeaseFile | null) => boolean): Promise<void> {
  const aside = join(dirname(path), `removed~${randomUUID()}.json`);
  if ((await rename(path, aside).then(() => true, orNull)) === null) return;
  forgetStill(path);
  const text = await readFile(aside, 'utf8').catch(orNull);
  if (text !== null && isMeant(parse(text))) await rm(aside, { force: true });
}
