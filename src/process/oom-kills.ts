import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The kernel kills a process that exceeds its memory by SIGKILL, as a person or a scheduler does. The difference is in a count that it
 * keeps for each control group: `memory.events` (cgroup v2), `memory.oom_control` (v1), or `/proc/vmstat` for the whole machine.
 */

// A launcher gives the other ranks 30 s to end once one was killed, and only then ends itself.
const RECENT_MS = 60_000;
const SAMPLE_MS = 5000;

export interface OomKills {
  /** How many processes were killed within the last minute or so. */
  recent: () => number;
  stop: () => void;
}

/**
 * Watches the count of the control group of `pid`, or the one in `counter` where that is given, until `stop`. Only kills of the last minute
 * are counted: an older one hit another process of the group or of the machine, and says nothing about what ended just now.
 */
export function watchOomKills(pid: number, counter: string | null, system = '/'): OomKills {
  // Chosen once: the count of a group that is gone later must not be compared with another group's.
  const file = counter ?? countersOf(pid, system).find((path) => countIn(path) !== null);
  if (file === undefined) return { recent: () => 0, stop: () => undefined };
  // Oldest first; the first one is the newest of those that are older than RECENT_MS.
  const samples = [{ at: performance.now(), count: countIn(file) ?? 0 }];
  const timer = setInterval(() => {
    const count = countIn(file);
    if (count !== null) samples.push({ at: performance.now(), count });
    while (samples[1] && samples[1].at <= performance.now() - RECENT_MS) samples.shift();
  }, SAMPLE_MS);
  timer.unref();
  const before = () => samples[0]?.count ?? 0;
  return {
    recent: () => Math.max(0, (countIn(file) ?? before()) - before()),
    stop: () => clearInterval(timer),
  };
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
