import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Claim, LeaseFile } from '../contracts/reservation.ts';
import { orNull, writeExclusive } from '../run-directory/files.ts';
import { forgetStill, stillFor } from './still.ts';

/** One file for each leased GPU of a node, created exclusively. */

/** A lease that cannot be read and has not changed for this long was damaged, or left by a taker that died in mid-write. */
const unreadable_ms = 10_000;

const pathOf = (folder: string, uuid: string) => join(folder, `${encodeURIComponent(uuid)}.json`);

/** Returns false where the GPU is leased. */
export const createLease = (folder: string, node: string, uuid: string, claim: Claim): Promise<boolean> =>
  writeExclusive(pathOf(folder, uuid), { uuid, node, claim, at: new Date().toISOString() } satisfies LeaseFile);

export async function readLeases(folder: string): Promise<LeaseFile[]> {
  const leases: LeaseFile[] = [];
  for (const name of (await readdir(folder).catch(orNull)) ?? []) {
    // A name with a dot in front is one that is being written or removed.
    if (!name.endsWith('.json') || name.startsWith('.')) continue;
    const path = join(folder, name);
    const text = await readFile(path, 'utf8').catch(orNull);
    if (text === null) continue;
    const lease = parse(text);
    if (lease) leases.push(lease);
    else if (stillFor(path, text) > unreadable_ms) await rm(path, { force: true });
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
export async function removeLease(folder: string, lease: LeaseFile): Promise<void> {
  const path = pathOf(folder, lease.uuid);
  const aside = join(folder, `.removed-${randomUUID()}`);
  if ((await rename(path, aside).then(() => true, orNull)) === null) return;
  const moved = parse(await readFile(aside, 'utf8'));
  if (moved && !isDeepStrictEqual(moved, lease)) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
  forgetStill(path);
}
