import { rm } from 'node:fs/promises';
import { StopRequest } from '../contracts/status.ts';
import { readContractIfAny, writeAtomic } from './files.ts';
import type { RunPaths } from './paths.ts';

/** `<stage>/stop.json`: a word to whichever attempt runs, on whichever node; the disk is what they share. */

export async function requestStop(paths: RunPaths, stage: string, reason: string): Promise<void> {
  await writeAtomic(paths.stage(stage).stop, { reason, at: new Date().toISOString() } satisfies StopRequest);
}

/** The stop that was asked for; null where none was. One that cannot be read still stops. */
export async function readStop(paths: RunPaths, stage: string): Promise<StopRequest | null> {
  const unreadable = { reason: 'stopped on request', at: new Date().toISOString() };
  return readContractIfAny(paths.stage(stage).stop, StopRequest).catch(() => unreadable);
}

export const clearStop = (paths: RunPaths, stage: string): Promise<void> =>
  rm(paths.stage(stage).stop, { force: true });
