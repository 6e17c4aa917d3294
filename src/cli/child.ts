import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

export interface ChildOptions {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  log: string;
  onLine?: (line: string) => void;
}

/** A long-lived child of the command line: the Temporal server or the worker. */
export interface Child {
  pid: number;
  /** Last lines that it printed. */
  lines: string[];
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Asks it to end, and kills its group if it has not after `grace_ms`. */
  stop(signal: NodeJS.Signals, grace_ms: number): Promise<void>;
}

/**
 * Starts a child in a process group of its own, so that Ctrl-C reaches this process alone, which ends the children in order.
 * Its standard input is a pipe that this process never writes to, so the pipe ends when this process does, also by SIGKILL.
 */
export function startChild({ command, args, env, log, onLine }: ChildOptions): Child {
  mkdirSync(dirname(log), { recursive: true });
  const sink = createWriteStream(log, { flags: 'a' });
  const child: ChildProcess = spawn(command, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const lines: string[] = [];
  child.stdin?.on('error', () => {});
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      sink.write(`${line}\n`);
      lines.push(line);
      if (lines.length > 20) lines.shift();
      onLine?.(line);
    });
  }
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('error', (error) => {
      lines.push(error.message);
      resolve({ code: 127, signal: null });
    });
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const pid = child.pid ?? -1;
  return { pid, lines, ended, stop: (signal, grace_ms) => stopGroup(child, ended, signal, grace_ms) };
}

async function stopGroup(child: ChildProcess, ended: Promise<unknown>, signal: NodeJS.Signals, grace_ms: number) {
  if (child.pid === undefined) return;
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    const timer = setTimeout(() => killGroup(child.pid as number), grace_ms);
    await ended;
    clearTimeout(timer);
  }
  // Processes that the child left in its group are killed with it.
  killGroup(child.pid);
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {}
}
