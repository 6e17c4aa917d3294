import { randomUUID } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { claimFile, claimOf, ownProcess } from '../../process/claim-file.ts';

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
export const readUp = (config: Config): UpState | null => claimOf<UpState>(pathOf(config));

/** The state of a `gavel up` that has just begun: this process. */
export const ownUp = (state: Omit<UpState, 'pid' | 'process'>): UpState => ({
  pid: process.pid,
  process: ownProcess(),
  ...state,
});

/** Writes the state of a `gavel up` that begins, unless another one runs: returns that one's state then, else null. */
export const claimUp = (config: Config, state: UpState): UpState | null => claimFile(pathOf(config), state);

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
