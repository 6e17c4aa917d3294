import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { processName, runs } from './stat.ts';

/** A file that names the process that has claimed something; it means nothing once that process has ended, however it did. */

export interface Claim {
  /** Id and start time of a process, because another one may have the id by now. */
  process: string;
}

/** What a claim of this process says. */
export const ownProcess = (): string => processName(process.pid) ?? `${process.pid}:`;

/** The claim at `path` of a process that runs; null where there is none. */
export function claimOf<C extends Claim>(path: string): C | null {
  try {
    const claim = JSON.parse(readFileSync(path, 'utf8')) as C;
    return runs(claim.process) ? claim : null;
  } catch {
    return null;
  }
}

/** Writes `claim`, unless a process that runs has one there: returns that one's then, else null. */
export function claimFile<C extends Claim>(path: string, claim: C): C | null {
  mkdirSync(dirname(path), { recursive: true });
  const written = `${path}.${randomUUID()}`;
  writeFileSync(written, `${JSON.stringify(claim, null, 2)}\n`);
  try {
    for (;;) {
      if (linked(written, path)) return null;
      const running = claimOf<C>(path);
      if (running) return running;
      removeEnded(path);
    }
  } finally {
    rmSync(written, { force: true });
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what an ended process left; one that has begun since gets its file back. */
function removeEnded(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    // Another one that begins has removed it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (claimOf(aside)) linked(aside, path);
  rmSync(aside, { force: true });
}
