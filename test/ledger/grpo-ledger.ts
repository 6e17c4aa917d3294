import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { runDirectory } from '../gateway/start.ts';

/** Ledgers of the stage grpo that a test opens; they are closed after it. */

const opened: Ledger[] = [];
afterEach(() => Promise.all(opened.splice(0).map((ledger) => ledger.close())));

export async function grpo(run_dir: string, epoch: number, segment_bytes?: number) {
  const ledger = await Ledger.open({ run_dir, stage: 'grpo', epoch, ...(segment_bytes ? { segment_bytes } : {}) });
  opened.push(ledger);
  return ledger;
}

/** A run's folder, and what takes the next epoch of its GRPO stage. */
export function newRun() {
  const paths = runPaths(runDirectory(), 'test');
  mkdirSync(paths.dir, { recursive: true });
  return { run_dir: paths.dir, beginEpoch: () => takeEpoch(paths, 'grpo', { node: 'n', pid: 1 }) };
}

export const segment = (run_dir: string, name: string) => join(run_dir, 'traces', name);
