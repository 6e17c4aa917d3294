import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Claim, WorkflowOwner } from '../contracts/reservation.ts';
import { machineName, runs } from '../process/stat.ts';
import { orNull, writeAtomic } from '../run-directory/files.ts';
import { beatFolder } from './lease-folder.ts';
import { stillFor } from './still.ts';

/** Whether the owner of a claim still exists; what it holds is void otherwise. */

/** false: the workflow's execution is over, or its namespace does not know it. */
export type WorkflowRuns = (owner: WorkflowOwner) => Promise<boolean>;

/** A process beats this often; others treat one that has not beaten for `beatGone_ms` as dead. */
export const beat_ms = 5000;
const beatGone_ms = 30_000;

const beatPath = (folder: string, { reservation }: Claim) => join(beatFolder(folder), encodeURIComponent(reservation));

export async function ownerLives(folder: string, claim: Claim, workflowRuns: WorkflowRuns): Promise<boolean> {
  const { owner } = claim;
  if (owner.kind === 'workflow') return workflowRuns(owner);
  // On its own machine the process can be looked up by its id; elsewhere only its beat is visible.
  if (owner.machine === machineName()) return runs(owner.process);
  const path = beatPath(folder, claim);
  const beat = (await readFile(path, 'utf8').catch(orNull)) ?? '';
  return stillFor(path, beat) < beatGone_ms;
}

// Far longer than a beat may be away: a process that was stopped for so long is taken for gone anyway.
const BEAT_KEPT_MS = 3_600_000;

/** Removes the beats that killed processes have left. Ages are those that the filesystem's own clock gives. */
export async function sweepBeats(folder: string, own: Claim): Promise<void> {
  const { mtimeMs: now_ms } = await stat(beatPath(folder, own));
  for (const name of await readdir(beatFolder(folder))) {
    const path = join(beatFolder(folder), name);
    const beaten = await stat(path).catch(orNull);
    if (beaten && now_ms - beaten.mtimeMs > BEAT_KEPT_MS) await rm(path, { force: true });
  }
}

/** Says that the process of `claim` lives. */
export async function beat(folder: string, claim: Claim, number: number): Promise<void> {
  await mkdir(beatFolder(folder), { recursive: true });
  await writeAtomic(beatPath(folder, claim), String(number));
}

export const endBeat = (folder: string, claim: Claim): Promise<void> => rm(beatPath(folder, claim), { force: true });
