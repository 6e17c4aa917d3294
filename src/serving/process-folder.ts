import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { machineName, processName } from '../process/stat.ts';

/**
 * A folder for temporary files whose name says which process made it, so that the next one can remove what a killed one left. A
 * process id alone does not say that: containers that share /tmp have ids of their own, and ids are used again.
 */

/** Longest name of such a folder for a kind of six letters, with the slash before it. */
export const FOLDER_NAME_BYTES = 42;

const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 6);
const prefixOf = (kind: string, pid: number, name: string) =>
  `gavel-${kind}-${short(machineName())}-${pid}-${short(name)}-`;

/** Makes the folder in `base`, for this user alone, and removes those of dead processes of this machine. The caller removes it. */
export async function makeProcessFolder(kind: 'socket' | 'key', base: string): Promise<string> {
  await sweep(kind, base);
  return mkdtemp(join(base, prefixOf(kind, process.pid, processName(process.pid) ?? '')));
}

async function sweep(kind: string, base: string): Promise<void> {
  for (const entry of await readdir(base)) {
    // Those of another machine or container that shares the folder stay: its processes cannot be looked up here.
    const [, machine, id] = new RegExp(`^gavel-${kind}-([0-9a-f]{6})-(\\d+)-[0-9a-f]{6}-`).exec(entry) ?? [];
    const pid = Number(id);
    if (!pid || machine !== short(machineName())) continue;
    if (entry.startsWith(prefixOf(kind, pid, processName(pid) ?? ''))) continue;
    // Another user's cannot be removed, and need not be.
    await rm(join(base, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}
