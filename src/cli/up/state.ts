import { readFileSync, rmSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
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

/** What runs for this root now; null where nothing does, whatever an ended one left behind. */
export function readUp(config: Config): UpState | null {
  try {
    const state = JSON.parse(readFileSync(pathOf(config), 'utf8')) as UpState;
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

export async function writeUp(config: Config, state: UpState): Promise<void> {
  const path = pathOf(config);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${path}.${process.pid}`, path);
}

export function removeUp(config: Config): void {
  rmSync(pathOf(config), { force: true });
}
