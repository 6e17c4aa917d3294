import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The kernel ends a process for want of memory by SIGKILL, as a person or a scheduler does. The difference is in a count that it
 * keeps for each control group: `memory.events` (cgroup v2), `memory.oom_control` (v1), or `/proc/vmstat` for the whole machine.
 */

/**
 * Starts counting for the control group of `pid`, or in `counter` where that is given; the returned function says how many processes
 * were killed since.
 */
export function oomKillsSince(pid: number, counter: string | null, system = '/'): () => number {
  // Chosen once: the count of a group that is gone later must not be compared with another group's.
  const file = counter ?? countersOf(pid, system).find((path) => countIn(path) !== null);
  if (file === undefined) return () => 0;
  const before = countIn(file) ?? 0;
  return () => Math.max(0, (countIn(file) ?? before) - before);
}

/** Files that may hold the count, the nearest group first. */
function countersOf(pid: number, system: string): string[] {
  const groups = (read(join(system, `proc/${pid}/cgroup`)) ?? '').split('\n').map((line) => line.split(':'));
  const fs = join(system, 'sys/fs/cgroup');
  const v2 = groups.find(([hierarchy, controllers]) => hierarchy === '0' && controllers === '')?.[2];
  const v1 = groups.find(([, controllers]) => controllers?.split(',').includes('memory'))?.[2];
  return [
    // In a container the path may be that of the host, which is not there: the group is the top of what is mounted.
    ...(v1 === undefined ? [] : [join(fs, 'memory', v1, 'memory.oom_control'), join(fs, 'memory/memory.oom_control')]),
    ...(v2 === undefined ? [] : [join(fs, v2, 'memory.events'), join(fs, 'memory.events')]),
    join(system, 'proc/vmstat'),
  ];
}

function countIn(path: string): number | null {
  const count = /^oom_kill (\d+)$/m.exec(read(path) ?? '')?.[1];
  return count === undefined ? null : Number(count);
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
