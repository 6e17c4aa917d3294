import { readdirSync, readFileSync } from 'node:fs';

/** What runs on this machine for one GAVEL_ROOT, read from /proc. */

export interface Found {
  pid: number;
  /** GAVEL_TAG; null for workers and the server. */
  tag: string | null;
  gpus: string;
  command: string;
}

export const isAlive = (pid: number): boolean => stateOf(pid) !== null;

/** Letter of a living process's state (T: stopped); null where it is gone or a zombie in the kernel's sense. */
export function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const state = stat.slice(stat.lastIndexOf(')') + 2).charAt(0);
    return /[XZ]/.test(state) ? null : state;
  } catch {
    return null;
  }
}

/** All living processes whose environment names `root` as GAVEL_ROOT, or whose tag lies under it. */
export function processesOf(root: string): Found[] {
  const found: Found[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      const value = (key: string) => environment.find((entry) => entry.startsWith(`${key}=`))?.slice(key.length + 1);
      const tag = value('GAVEL_TAG') ?? null;
      if (value('GAVEL_ROOT') !== root && !tag?.includes(`:${root}/`)) continue;
      if (stateOf(pid) === null) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
      found.push({ pid, tag, gpus: value('CUDA_VISIBLE_DEVICES') ?? '', command });
    } catch {
      // It ended while it was looked at.
    }
  }
  return found;
}

/** Trainers among the processes: their stage and epoch are in the tag. */
export function trainersOf(
  found: Found[],
): { pid: number; stage: string; epoch: number; node: string; gpus: string }[] {
  return found.flatMap(({ pid, tag, gpus, command }) => {
    const match = /^([^:]*):.*\/(grpo|sft|audit)\/e(\d+)$/.exec(tag ?? '');
    if (!match || !command.includes('gavel_train.')) return [];
    return [{ pid, node: match[1] ?? '', stage: match[2] ?? '', epoch: Number(match[3]), gpus }];
  });
}
