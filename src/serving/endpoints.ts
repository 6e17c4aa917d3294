import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Endpoint } from '../contracts/stage.ts';
import { orNull, readContractIfAny, writeAtomic, writeExclusive } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';

/**
 * Where each served model is now: one file a role, replaced atomically. Where a role has several servers, the newest counts.
 * A file can be looked at and then written, but not both at once, so a server that was stopped in between may still overwrite or
 * remove what a newer one said; the newer one, which lives, puts it back (`keepPublished`).
 */

/** Publishes where the served model `role` is now. Readers see the old file or the new one, never a part. */
export async function publishEndpoint(paths: RunPaths, role: string, endpoint: Endpoint) {
  await mkdir(paths.endpoints, { recursive: true });
  await writeAtomic(paths.endpoint(role), Endpoint.parse(endpoint));
}

/** Where `role` is served now; null where it is not. */
export const readEndpoint = (paths: RunPaths, role: string): Promise<Endpoint | null> =>
  readContractIfAny(paths.endpoint(role), Endpoint);

/** Removes what `publishEndpoint` wrote; what another server has published since stays. */
export async function withdrawEndpoint(paths: RunPaths, role: string, own: Endpoint) {
  const now = await readEndpoint(paths, role).catch(() => null);
  if (isDeepStrictEqual(now, own)) await rm(paths.endpoint(role), { force: true });
}

/**
 * Publishes `own` unless that is what is said already. Returns false, and leaves nothing of its own behind, where `isNewest` says
 * that a newer server has come.
 */
export async function keepPublished(
  paths: RunPaths,
  role: string,
  own: Endpoint,
  isNewest: () => Promise<boolean>,
): Promise<boolean> {
  if (!(await isNewest())) return false;
  const now = await readEndpoint(paths, role).catch(() => null);
  if (isDeepStrictEqual(now, own)) return true;
  await publishEndpoint(paths, role, own);
  // A newer one that came since has cleared the place before this was written.
  if (await isNewest()) return true;
  await withdrawEndpoint(paths, role, own);
  return false;
}

/** The right to say where a role is served, until a newer server claims it. */
export interface EndpointClaim {
  isNewest: () => Promise<boolean>;
}

/**
 * Claims the endpoint of `role` for a server that is about to start, and removes what older ones said. Returns null, and removes
 * nothing, where a newer claim is there. `order` tells which claim is newer; null comes after all that are there.
 */
export async function claimEndpoint(
  paths: RunPaths,
  role: string,
  order: number | null,
): Promise<EndpointClaim | null> {
  const folder = claimsOf(paths, role);
  await mkdir(folder, { recursive: true });
  const own = order ?? Math.max(0, ...(await claims(folder))) + 1;
  const file = (claim: number) => join(folder, `${claim}.json`);
  const claim = { order: own, host: hostname(), pid: process.pid, claimed_at: new Date().toISOString() };
  // Two servers cannot both be the newest: the one that finds the number taken is the older.
  if (!(await writeExclusive(file(own), claim))) return null;
  const others = await claims(folder);
  if (others.some((other) => other > own)) {
    await rm(file(own), { force: true });
    return null;
  }
  await rm(paths.endpoint(role), { force: true });
  for (const older of others) if (older < own) await rm(file(older), { force: true });
  return { isNewest: async () => (await claims(folder)).every((claim) => claim <= own) };
}

/** Folder of the claims on one endpoint: a file each, named by its order. */
export const claimsOf = (paths: RunPaths, role: string) => join(paths.endpoints, `${role}.claims`);

async function claims(folder: string): Promise<number[]> {
  const names = (await readdir(folder).catch(orNull)) ?? [];
  return names.filter((name) => /^\d+\.json$/.test(name)).map((name) => Number.parseInt(name, 10));
}
