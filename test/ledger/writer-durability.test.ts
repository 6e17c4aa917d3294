import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SegmentWriter } from '../../src/ledger/writer.ts';
import { graded, runDirectory } from '../gateway/start.ts';
import { aTrace } from './a-trace.ts';

/** A verdict counts for good once it is out: a power cut after that must find its trace on the disk, not in the page cache. */

let order: string[];
/** The disk; while it is held, no sync is done. */
let disk: Promise<void>;
let letGo: () => void;

beforeEach(async () => {
  order = [];
  disk = Promise.resolve();
  const handle = await open(join(runDirectory(), 'any'), 'w');
  const ofAll = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const { appendFile, datasync, sync } = ofAll;
  vi.spyOn(ofAll, 'appendFile').mockImplementation(async function (this: FileHandle, ...given) {
    await appendFile.apply(this, given);
    order.push('written');
  });
  for (const [name, original] of Object.entries({ datasync, sync })) {
    vi.spyOn(ofAll, name as 'datasync' | 'sync').mockImplementation(async function (this: FileHandle) {
      await disk;
      await original.apply(this);
      order.push('synced');
    });
  }
});

afterEach(() => {
  letGo?.();
  vi.restoreAllMocks();
});

function hold(): void {
  disk = new Promise((resolve) => {
    letGo = resolve;
  });
}

test('a line that was written is synced before the write is acknowledged', async () => {
  const writer = await SegmentWriter.create(runDirectory(), 'grpo', 1, 1);
  order = [];
  await writer.write([aTrace(1), aTrace(2)]);
  order.push('acknowledged');
  expect(order).toEqual(['written', 'synced', 'acknowledged']);
  await writer.seal();
});

test('a verdict is not out while the disk has not synced its trace', async () => {
  const { gateway, run_dir } = await graded();
  await gateway.grade();
  order = [];
  hold();
  const verdict = gateway.grade({ occasion: 'grpo:1:2:4', prompt: '3+3?' }).then(() => order.push('verdict'));
  await vi.waitFor(() => expect(order).toContain('written'), { timeout: 20_000 });
  // Long enough for an answer that waits for nothing.
  await sleep(200);
  expect(order).toEqual(['written']);
  expect(readFileSync(join(run_dir, 'traces/serve-e1-000001.jsonl'), 'utf8')).toContain('grpo:1:2:4:0');
  letGo();
  await verdict;
  expect(order).toEqual(['written', 'synced', 'verdict']);
});
