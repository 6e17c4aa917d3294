import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { diesWithParent } from './dies-with-parent.ts';
import { CHILD, childEnvironment, OWNER, TAG } from './environment.ts';
import { findDescendants, findTrainers, killUntilGone, ownName, ProcessStuck, send } from './reap.ts';
import { writeStacks } from './stacks.ts';

export interface ChildOptions {
  /** What messages call it, say "trainer" or "vLLM of the judge". */
  name: string;
  command: string;
  args: readonly string[];
  cwd: string;
  /** All that it gets besides the allow-list in process/passed-on.ts; undefined values are left out. */
  env: Record<string, string | undefined>;
  /** File that its standard error, and whatever it prints that is no event, is appended to. */
  logPath: string;
  /** <node>:<run directory>/<stage>/e<epoch>: what leftovers are found by. */
  tag: string;
  /**
   * Who is asked to end: the process and its group, or, behind a launcher, the ranks alone. A launcher that is asked to end takes its
   * ranks with it before they have saved.
   */
  ask?: 'group' | 'ranks';
  /** Gets each line of standard output that is a JSON object with "event". */
  onEvent?: (event: { event: string; [key: string]: unknown }) => void;
}

export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  seconds: number;
}

export interface Child {
  name: string;
  pid: number;
  host: string;
  logPath: string;
  /** Settles once the process and all of its descendants are gone. Rejects with ProcessStuck alone, where SIGKILL does not end them. */
  exited: Promise<ChildExit>;
  /** TERM to the group, KILL to whatever is left after `graceMs`; settles as `exited` does. Another call can only shorten the grace. */
  stop: (graceMs: number) => Promise<ChildExit>;
  /** Has its Python processes write their stacks to the log; settles with how many were asked. */
  dumpStacks: () => Promise<number>;
}

// A killed process with much memory takes seconds to go; one that hangs in the kernel never does.
const KILL_PATIENCE_MS = 15_000;

/** A program that could not be started at all. */
export class ChildStartError extends Error {
  override name = 'ChildStartError';
}

/**
 * Starts a program in a session of its own. We hold its standard input open for as long as we live: a child of gavel ends
 * itself when that closes, and until it has started far enough to see that the kernel ends it, so it never outlives its worker.
 * When it ends, by itself or not, its descendants are ended too.
 */
export function startChild(options: ChildOptions): Child {
  const { name, command, args, cwd, logPath, tag } = options;
  mkdirSync(dirname(logPath), { recursive: true });
  const log = openSync(logPath, 'a');
  // Several children may share a tag (trainer and gateway of an epoch): ending one must spare the others.
  const id = randomUUID();
  const started = performance.now();
  const subprocess = spawn(...diesWithParent(command, args), {
    cwd,
    env: childEnvironment({ ...options.env, [TAG]: tag, [CHILD]: id, [OWNER]: ownName() }),
    detached: true,
    // The file itself, not a pipe through us: the last words of a child reach the log even while we are dying.
    stdio: ['pipe', 'pipe', log],
  });
  const { pid } = subprocess;
  if (pid === undefined) {
    subprocess.once('error', () => {});
    closeSync(log);
    const reason = existsSync(cwd) ? `there is no program ${command} that may be run` : `there is no folder ${cwd}`;
    throw new ChildStartError(`Cannot start ${name}: ${reason}.`);
  }
  const leaderPid = pid;
  // This process never writes to it; the pipe breaks when the child closes its end.
  const { stdin, stdout } = subprocess as ChildProcessByStdio<Writable, Readable, null>;
  stdin.on('error', () => {});

  const printed = forwardLines(stdout, log, options.onEvent);
  let gone = false;
  const leader = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    subprocess.once('exit', (code, signal) => {
      gone = true;
      resolve({ code, signal });
    });
  });
  const look = () => findDescendants(pid, CHILD, id);
  const trainers = () => findTrainers(pid, CHILD, id);
  // Before stop() is called a dead leader's descendants are of no use to anyone and get no grace.
  let deadline = 0;

  async function end(): Promise<ChildExit> {
    const { code, signal } = await leader;
    const seconds = (performance.now() - started) / 1000;
    // Ranks have sessions of their own and may still be saving after their launcher has gone.
    while (Date.now() < deadline && look().length > 0) await sleep(50);
    try {
      await killUntilGone(look);
      // Its pipe is closed now that no descendant holds it.
      await Promise.race([printed, sleep(1000, undefined, { ref: false })]);
    } finally {
      stdin.destroy();
      closeSync(log);
    }
    return { code, signal, seconds };
  }
  const stuck = Promise.withResolvers<never>();
  const exited = Promise.race([end(), stuck.promise]);
  // A caller that awaits it sees the error. Without this line a rejection that no caller awaits would end the process.
  exited.catch(() => {});

  async function stop(graceMs: number) {
    const asked = Date.now() + graceMs;
    const first = deadline === 0;
    deadline = first ? asked : Math.min(deadline, asked);
    if (first && !gone) {
      const ranks = options.ask === 'ranks' ? trainers() : [];
      for (const target of ranks.length > 0 ? ranks : [-leaderPid]) send(target, 'SIGTERM');
    }
    while (!gone && Date.now() < deadline) await Promise.race([leader, sleep(50)]);
    if (!gone) send(-leaderPid, 'SIGKILL');
    const until = Date.now() + KILL_PATIENCE_MS;
    while (!gone && Date.now() < until) await Promise.race([leader, sleep(50)]);
    if (!gone)
      stuck.reject(new ProcessStuck(`Expected ${name} (pid ${leaderPid}) to end on SIGKILL, got it still alive.`));
    return exited;
  }

  const dumpStacks = async () => {
    const pids = trainers();
    await writeStacks(logPath, pids);
    return pids.length;
  };
  return { name, pid, host: hostname(), logPath, exited, stop, dumpStacks };
}

/** Hands events on and puts every other line into the log; settles when the stream ends. */
async function forwardLines(stream: Readable, log: number, onEvent: ChildOptions['onEvent']) {
  try {
    for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
      const event = parseEvent(line);
      try {
        if (event && onEvent) onEvent(event);
        else writeSync(log, `${line}\n`);
      } catch (error) {
        // A full disk or an event that its reader refuses must not end a training; the log says so where it can.
        tryWrite(log, `gavel: could not take the line ${JSON.stringify(line.slice(0, 200))}: ${error}\n`);
      }
    }
  } catch {
    // The stream broke together with its process.
  }
}

function tryWrite(log: number, text: string) {
  try {
    writeSync(log, text);
  } catch {
    // Nowhere left to say it.
  }
}

function parseEvent(line: string) {
  if (!line.startsWith('{')) return null;
  try {
    const value = JSON.parse(line);
    return typeof value?.event === 'string' ? value : null;
  } catch {
    return null;
  }
}
