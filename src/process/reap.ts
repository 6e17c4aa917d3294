import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TAG } from './environment.ts';

/** Finds and ends processes by what /proc says of them. On systems without /proc nothing is found; groups still are. */

interface Stat {
  pid: number;
  parent: number;
  group: number;
  session: number;
  zombie: boolean;
}

async function readStat(pid: number): Promise<Stat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The command's name is in parentheses and may hold anything, so fields are counted from the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = fields;
  // X: dead, Z: dead and not yet waited for. Neither runs, and no signal reaches them.
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    zombie: /[XZ]/.test(state ?? ''),
  };
}

async function pids() {
  return (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The environment that a process was started with, as NAME=value; empty where it may not be read. */
async function environmentOf(pid: number) {
  return ((await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')) ?? '').split('\0');
}

/** This process and those that it descends from: nothing here ever ends them, whatever tag they carry. */
async function ownLine() {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = (await readStat(pid))?.parent ?? 0) line.add(pid);
  return line;
}

/** Living processes for which `belongs` says so. */
async function find(belongs: (stat: Stat, environment: () => Promise<string[]>) => boolean | Promise<boolean>) {
  const own = await ownLine();
  const found: number[] = [];
  for (const pid of await pids()) {
    if (own.has(pid)) continue;
    const stat = await readStat(pid);
    if (stat && !stat.zombie && (await belongs(stat, () => environmentOf(pid)))) found.push(pid);
  }
  return found;
}

/** Processes whose environment holds `variable` with exactly `value`, or in the session or group `leader`. */
export const findDescendants = (leader: number, variable: string, value: string) =>
  find(
    async ({ group, session }, environment) =>
      group === leader || session === leader || (await environment()).includes(`${variable}=${value}`),
  );

/** Processes with the tag `tag` or one below it: `my-run/grpo` finds those of `my-run/grpo/e3`. */
export const findTagged = (tag: string) =>
  find(async (_stat, environment) =>
    (await environment()).some((entry) => entry === `${TAG}=${tag}` || entry.startsWith(`${TAG}=${tag}/`)),
  );

/** Sends a signal; a process that is gone already is no error. */
export function send(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Kills what `look` finds, again and again until it finds nothing: a process may fork while it is being looked for.
 * Returns how many were killed. A process in uninterruptible sleep (a dead disk, a wedged driver) cannot be ended by
 * anybody: after `patience_ms` this throws and names it.
 */
export async function killUntilGone(look: () => Promise<number[]>, patience_ms = 10_000): Promise<number> {
  const killed = new Set<number>();
  const until = Date.now() + patience_ms;
  for (;;) {
    const left = await look();
    if (left.length === 0) return killed.size;
    for (const pid of left) {
      send(pid, 'SIGKILL');
      killed.add(pid);
    }
    if (Date.now() > until) {
      throw new Error(
        `Expected processes ${left.join(', ')} to end within ${patience_ms} ms of SIGKILL, got them still alive.`,
      );
    }
    // A killed process leaves /proc within milliseconds; one with much memory takes longer.
    await sleep(20);
  }
}

/** Ends every process on this machine that carries `tag` (or one below it); returns how many there were. */
export const reapTagged = (tag: string): Promise<number> => killUntilGone(() => findTagged(tag));
