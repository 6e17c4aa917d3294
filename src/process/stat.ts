import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What the system says of one process, and the name that it has for good: ids are used again, start times are not. */

export interface Stat {
  pid: number;
  parent: number;
  group: number;
  session: number;
  zombie: boolean;
  /** Clock ticks since boot at which it started. */
  started: string;
}

/**
 * Text of a file under /proc; null where the process has ended, or is another user's. Read synchronously: /proc answers from
 * memory in microseconds, while a trip through the thread pool takes milliseconds on a busy machine, times every process.
 */
export function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

export function readStat(pid: number): Stat | null {
  const text = readProc(`/proc/${pid}/stat`);
  if (text === null) return null;
  // The command's name is in parentheses and may hold anything, so fields are counted from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  // X: dead, Z: dead and not yet waited for. Neither runs, and no signal reaches them.
  const zombie = /[XZ]/.test(state ?? '');
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    zombie,
    started: fields[19] ?? '',
  };
}

// Otherwise a start time would read differently after a change of language or time zone.
const PLAIN = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' };

/** `<pid>:<start time>` of a process that runs; null where none does. */
export function processName(pid: number): string | null {
  if (existsSync('/proc/self/stat')) {
    const stat = readStat(pid);
    return stat === null || stat.zombie ? null : `${pid}:${stat.started}`;
  }
  try {
    // Without /proc (macOS). Fields without a header; a zombie's state begins with Z.
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: PLAIN,
    }).trim();
    const [state = '', ...started] = line.split(/\s+/);
    return state === '' || state.startsWith('Z') ? null : `${pid}:${started.join(' ')}`;
  } catch {
    return null;
  }
}

/** Whether a process with this id runs, whichever. */
export const isAlive = (pid: number): boolean => processName(pid) !== null;

/** Whether the process that `name` was given to runs, and not another one with the same id. */
export function runs(name: string): boolean {
  const pid = Number.parseInt(name, 10);
  return Number.isInteger(pid) && processName(pid) === name;
}

/** Where a process id means something: the host, and the PID namespace where the system has them. */
export function machineName(): string {
  try {
    return `${hostname()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
