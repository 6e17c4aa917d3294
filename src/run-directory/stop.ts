import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StopRequest } from '../contracts/status.ts';
import { readContractIfAny, writeAtomic } from './files.ts';
import type { RunPaths } from './paths.ts';

/**
 * `<stage>/stops/<reservation>.json`: asks the attempt on one reservation, on whichever node, to end; the disk is what they
 * share. One that comes late names a reservation that is over, and no attempt reads it.
 */

export async function requestStop(paths: RunPaths, stage: string, reservation: string, reason: string): Promise<void> {
  const path = paths.stage(stage).stop(reservation);
  await mkdir(dirname(path), { recursive: true });
  await writeAtomic(path, { reason, at: new Date().toISOString() } satisfies StopRequest);
}

/** The stop that was asked for; null where none was. One that cannot be read still stops. */
export async function readStop(paths: RunPaths, stage: string, reservation: string): Promise<StopRequest | null> {
  const unreadable = { reason: 'stopped on request', at: new Date().toISOString() };
  return readContractIfAny(paths.stage(stage).stop(reservation), StopRequest).catch(() => unreadable);
}
