import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { Violation } from './assertions.ts';

let quiet = false;
let last: Promise<unknown> = Promise.resolve();

/** Replays every recorded history with the workflows as they are: a worker that restarts in mid-run does the same. */
export function replayAll(folder: string, package_root: string, wanted: readonly string[] = []): Promise<Violation[]> {
  // Seeds run side by side. The SDK shuts its runtime down with its last worker, which another replay may be about to use.
  const replayed = last.then(() => replay(folder, package_root, wanted));
  last = replayed.catch(() => undefined);
  return replayed;
}

async function replay(folder: string, package_root: string, wanted: readonly string[]): Promise<Violation[]> {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  const histories = names.map((name) => ({
    // The pipeline reads the run's name out of its own id.
    workflowId: decodeURIComponent(name.replace(/\.[^.]+\.json$/, '')),
    history: historyFromJSON(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
  }));
  const there = new Set(histories.map(({ workflowId }) => workflowId));
  const missing = wanted.filter((id) => !there.has(id));
  if (missing.length > 0) {
    return [{ assertion: 'every history replays', detail: `there is no history of ${missing.join(', ')}` }];
  }
  if (!quiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  quiet = true;
  const found: Violation[] = [];
  const workflowsPath = join(package_root, 'workflows/index.ts');
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowsPath }, histories)) {
    if (error)
      found.push({ assertion: 'every history replays', detail: `${workflowId}: ${error.message.split('\n')[0]}` });
  }
  return found;
}
