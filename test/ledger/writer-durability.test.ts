import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import { readSeal } from '../../src/ledger/seal.ts';
import { SegmentWriter } from '../../src/ledger/writer.ts';
import { graded, runDirectory, tracesOf } from '../gateway/start.ts';
import { aTrace } from './a-trace.ts';

/** A verdict counts for good once it is out: a power cut after that must find its trace on the disk, not in the page cache. */

let order: string[];
/** The disk; while it is held, no sync is done. */
let disk: Promise<void>;
let letGo: () => void;
/** What every open file has in common. */
let ofAll: FileHandle;

beforeEach(async () => {
  order = [];
  disk = Promise.resolve();
  const handle = await open(join(runDirectory(), 'any'), 'w');
  ofAll = Object.getPrototypeOf(handle) as FileHandle;
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

const full = () => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' }));

test('a segment that could not be sealed on a full disk is sealed once there is room', async () => {
  const writer = await SegmentWriter.create(runDirectory(), 'grpo', 1, 1);
  await writer.write([aTrace(1)]);
  vi.mocked(ofAll.sync).mockImplementationOnce(full);
  await expect(writer.seal()).rejects.toThrow('ENOSPC');
  await writer.seal();
  expect(await readSeal(writer.path)).toMatchObject({ keys: 1, bytes: readFileSync(writer.path).length });
});

test('what is left of a write that could not be undone is never joined by another line', async () => {
  const run_dir = runDirectory();
  const ledger = await Ledger.open({ run_dir, stage: 'grpo', epoch: 1 });
  await ledger.append(aTrace(1));
  const { appendFile } = ofAll;
  vi.mocked(ofAll.appendFile).mockImplementationOnce(async function (this: FileHandle, line) {
    await appendFile.call(this, (line as Buffer).subarray(0, 50));
    return full();
  });
  vi.spyOn(ofAll, 'truncate').mockImplementationOnce(full);
  await expect(ledger.append(aTrace(2))).rejects.toThrow('ENOSPC');
  await ledger.append(aTrace(2));
  await ledger.append(aTrace(3));
  await ledger.close();
  expect(await tracesOf(run_dir)).toEqual([1, 2, 3].map((n) => aTrace(n)));
});
