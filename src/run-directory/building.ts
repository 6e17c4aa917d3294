import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { machineName, processName } from '../process/stat.ts';
import { orNull } from './files.ts';
import { pathsIn, type RunPaths, runPaths } from './paths.ts';

/** Folders of runs that are still being built. Each is named after the process that builds it, which may be killed meanwhile. */

const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 6);
const builder = (pid: number) => `${short(machineName())}-${pid}-${short(processName(pid) ?? '')}`;
const BUILDING = /^\.creating-.+-([0-9a-f]{6}-(\d+)-[0-9a-f]{6})-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// Preparing a run times out after 30 minutes: an older folder is no longer published by the attempt that builds it.
const OLD_MS = 60 * 60_000;

/** The paths of a run whose folder this process builds: a sibling of the runs, hidden by its dot, never the same twice. */
export function buildingPaths(root: string, run: string): RunPaths {
  const { run: name } = runPaths(root, run);
  const folder = `.creating-${name}-${builder(process.pid)}-${randomUUID()}`;
  return { root, run, ...pathsIn(join(root, 'runs', folder)) };
}

/**
 * Removes what killed processes of this machine were building an hour ago or earlier; returns how many folders. Another machine's
 * processes cannot be looked up here, so that each removes its own.
 */
export async function sweepBuilding(root: string): Promise<number> {
  const runs = join(root, 'runs');
  const left = ((await readdir(runs).catch(orNull)) ?? []).filter(isAbandoned);
  if (left.length === 0) return 0;
  const now = await fileServerTime(runs);
  let removed = 0;
  for (const name of left) {
    const path = join(runs, name);
    const changed = (await stat(path).catch(orNull))?.mtimeMs ?? now;
    if (now - changed < OLD_MS) continue;
    // Another user's cannot be removed, and must not keep a worker from starting.
    await rm(path, { recursive: true, force: true }).then(
      () => (removed += 1),
      () => undefined,
    );
  }
  return removed;
}

/** Whether the name is that of a folder whose builder ran on this machine and runs no more. */
function isAbandoned(name: string): boolean {
  const [, by, pid] = BUILDING.exec(name) ?? [];
  if (by === undefined || !by.startsWith(`${short(machineName())}-`)) return false;
  return builder(Number(pid)) !== by;
}

/** What a file that is made now is stamped with: the file server's clock and this machine's may differ. */
async function fileServerTime(folder: string): Promise<number> {
  const made = await mkdtemp(join(folder, '.now-'));
  try {
    return (await stat(made)).mtimeMs;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
