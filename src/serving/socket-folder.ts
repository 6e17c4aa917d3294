import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineName, processName } from '../process/stat.ts';

/**
 * A folder for the Unix sockets of one served model, which goes with it: vLLM puts them into the folder for temporary files, and
 * leaves them there when it is killed. It is not in the run's folder, since the path of a socket has at most 107 bytes and a run
 * may be on a network filesystem.
 */

const SOCKET_PATH_BYTES = 107;
// A slash and the UUID by which vLLM names a socket; mkdtemp's six letters and the rest of our own name.
const SOCKET_NAME_BYTES = 37;
const FOLDER_NAME_BYTES = 40;

const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 6);
const prefixOf = (pid: number, name: string) => `gavel-${short(machineName())}-${pid}-${short(name)}-`;

/** Makes the folder, and removes those of processes of this machine that have died. The caller removes it. */
export async function makeSocketFolder(temporary = tmpdir()): Promise<string> {
  const longest = SOCKET_PATH_BYTES - SOCKET_NAME_BYTES - FOLDER_NAME_BYTES;
  const base = Buffer.byteLength(temporary) <= longest ? temporary : '/tmp';
  await sweep(base);
  return mkdtemp(join(base, prefixOf(process.pid, processName(process.pid) ?? '')));
}

async function sweep(base: string): Promise<void> {
  for (const entry of await readdir(base)) {
    const pid = Number(/^gavel-[0-9a-f]{6}-(\d+)-[0-9a-f]{6}-/.exec(entry)?.[1]);
    // One of another machine or container that shares the folder: its processes cannot be looked up here.
    if (!pid || !entry.startsWith(`gavel-${short(machineName())}-`)) continue;
    if (entry.startsWith(prefixOf(pid, processName(pid) ?? ''))) continue;
    // Another user's cannot be removed, and need not be.
    await rm(join(base, entry), { recursive: true, force: true }).catch(() => undefined);
  }
}
