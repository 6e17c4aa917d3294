import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../../config.ts';
import { processName, runs } from '../../process/stat.ts';

/** `.gavel/up.json`: the server and worker that `gavel up` keeps for a root, so that other commands find them. */
export interface UpState {
  /** The `gavel up` process; SIGINT ends it and all that it started. */
  pid: number;
  /** Its id and start time, because another process may have the id by now. */
  process: string;
  server_pid: number | null;
  worker_pid: number | null;
  address: string;
  ui: string;
  db: string;
  /** false until the server answers and the worker polls. */
  ready: boolean;
  started_at: string;
}

const pathOf = (config: Config) => join(config.root, '.gavel/up.json');

/** The `gavel up` that runs for this root now; null where none does, also where an ended one left its file. */
export const readUp = (config: Config): UpState | null => runningIn(pathOf(config));

function runningIn(path: string): UpState | null {
  try {
    const state = JSON.parse(readFileSync(path, 'utf8')) as UpState;
    return runs(state.process) ? state : null;
  } catch {
    return null;
  }
}

/** The state of a `gavel up` that has just begun: this process. */
export const ownUp = (state: Omit<UpState, 'pid' | 'process'>): UpState => ({
  pid: process.pid,
  process: processName(process.pid) ?? `${process.pid}:`,
  ...state,
});

/** Writes the state of a `gavel up` that begins, unless another one runs: returns that one's state then, else null. */
export function claimUp(config: Config, state: UpState): UpState | null {
  const path = pathOf(config);
  mkdirSync(dirname(path), { recursive: true });
  const written = write(path, state);
  try {
    for (;;) {
      if (linked(written, path)) return null;
      const running = readUp(config);
      if (running) return running;
      removeEnded(path);
    }
  } finally {
    rmSync(written, { force: true });
  }
}

/** Replaces the state; does nothing where another `gavel up` has written its own. */
export function writeUp(config: Config, state: UpState): void {
  const path = pathOf(config);
  const other = readUp(config);
  if (other === null || other.process === state.process) renameSync(write(path, state), path);
}

/** Removes the state that `own` wrote, and no other. */
export function removeUp(config: Config, own: UpState): void {
  if (readUp(config)?.process === own.process) rmSync(pathOf(config), { force: true });
}

function write(path: string, state: UpState): string {
  const written = `${path}.${randomUUID()}`;
  writeFileSync(written, `${JSON.stringify(state, null, 2)}\n`);
  return written;
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes what an ended `gavel up` left; one that has begun since gets its file back. */
function removeEnded(path: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    // Another one that begins has removed it.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (runningIn(aside)) linked(aside, path);
  rmSync(aside, { force: true });
}
