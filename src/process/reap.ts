import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { OWNER, TAG } from './environment.ts';
import { processName, readProc, readStat, runs, type Stat } from './stat.ts';

/** Finds and ends processes by what /proc says of them. On systems without /proc nothing is found; groups still are. */

function pids() {
  const names = existsSync('/proc/self/stat') ? readdirSync('/proc') : [];
  return names.filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The environment that a process was started with, as NAME=value; empty where it may not be read. */
const environmentOf = (pid: number) => (readProc(`/proc/${pid}/environ`) ?? '').split('\0');

/** This process and those that it descends from: nothing here ever ends them, whatever tag they carry. */
function ownLine() {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = readStat(pid)?.parent ?? 0) line.add(pid);
  return line;
}

/** Living processes for which `belongs` says so. */
function find(belongs: (stat: Stat) => boolean) {
  const own = ownLine();
  return pids().filter((pid) => {
    const stat = own.has(pid) ? null : readStat(pid);
    return stat !== null && !stat.zombie && belongs(stat);
  });
}

/** Processes whose environment holds `variable` with exactly `value`, or in the session or group `leader`. */
export const findDescendants = (leader: number, variable: string, value: string) =>
  find(
    ({ pid, group, session }) =>
      group === leader || session === leader || environmentOf(pid).includes(`${variable}=${value}`),
  );

/** This process as its children name it. */
export const ownName = () => processName(process.pid) ?? `${process.pid}:`;

/** Processes whose tag `belongs` accepts; its second argument says whether the process that started them still lives. */
export const findByTag = (belongs: (tag: string, ownerLives: () => boolean) => boolean) =>
  find(({ pid }) => {
    const environment = environmentOf(pid);
    const tag = entryOf(environment, TAG);
    return tag !== null && belongs(tag, () => runs(entryOf(environment, OWNER) ?? ''));
  });

const entryOf = (environment: string[], name: string) =>
  environment.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;

/** Processes with the tag `tag` or one below it: `my-run/grpo` finds those of `my-run/grpo/e3`. */
export const findTagged = (tag: string) => findByTag((found) => found === tag || found.startsWith(`${tag}/`));

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

/** A process that not even SIGKILL ends: it hangs in the kernel, on a driver or a disk. */
export class ProcessStuck extends Error {
  override name = 'ProcessStuck';
}

/**
 * Kills what `look` finds, again and again until it finds nothing: a process may fork while it is being looked for.
 * Returns how many were killed. A process in uninterruptible sleep (a dead disk, a wedged driver) cannot be ended by
 * anybody: after `patience_ms` this throws and names it.
 */
export async function killUntilGone(look: () => number[], patience_ms = 10_000): Promise<number> {
  const killed = new Set<number>();
  const until = Date.now() + patience_ms;
  for (;;) {
    const left = look();
    if (left.length === 0) return killed.size;
    for (const pid of left) {
      send(pid, 'SIGKILL');
      killed.add(pid);
    }
    if (Date.now() > until) {
      throw new ProcessStuck(
        `Expected processes ${left.join(', ')} to end within ${patience_ms} ms of SIGKILL, got them still alive.`,
      );
    }
    // A killed process leaves /proc within milliseconds; one with much memory takes longer.
    await sleep(20);
  }
}

/**
 * Ends what earlier attempts at a stage left on this node: processes whose tag is `stageTag`/e<n> with n below `epoch`.
 * A woken zombie's own children are among them; a newer attempt's are not.
 */
export const reapOlderAttempts = (stageTag: string, epoch: number): Promise<number> =>
  killUntilGone(() =>
    findByTag((tag) => {
      const number = tag.startsWith(`${stageTag}/e`) && /^(\d+)(\/|$)/.exec(tag.slice(stageTag.length + 2))?.[1];
      return number !== false && number !== undefined && Number(number) < epoch;
    }),
  );

/** Ends the processes of dead workers: their tag starts with `prefix`, and their starter has ended. Returns how many there were. */
export const reapOrphans = (prefix: string): Promise<number> =>
  killUntilGone(() => findByTag((tag, ownerLives) => tag.startsWith(prefix) && !ownerLives()));

/** Finds the trainers among a child's processes, and no launcher: those that have said that they answer SIGUSR1. */
export const findTrainers = (leader: number, variable: string, value: string): number[] =>
  findDescendants(leader, variable, value).filter(catchesUsr1);

function catchesUsr1(pid: number) {
  const mask = /^SigCgt:\s*([0-9a-f]+)/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  // Bit 9: SIGUSR1 is signal 10. Sent to a process that does not catch it, it would end it.
  return mask !== undefined && (BigInt(`0x${mask}`) >> 9n) % 2n === 1n;
}

/** Ends every process on this machine that carries `tag` (or one below it); returns how many there were. */
export const reapTagged = (tag: string): Promise<number> => killUntilGone(() => findTagged(tag));
