import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { textDigest } from '../../src/ledger/key.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LedgerDamaged, lineOf } from '../../src/ledger/line.ts';
import type { TraceFilter } from '../../src/ledger/reader.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { runDirectory, tracesOf } from '../gateway/start.ts';
import { aTrace as trace } from './a-trace.ts';

const opened: Ledger[] = [];
afterEach(() => Promise.all(opened.splice(0).map((ledger) => ledger.close())));

async function grpo(run_dir: string, epoch: number, segment_bytes?: number) {
  const ledger = await Ledger.open({ run_dir, stage: 'grpo', epoch, ...(segment_bytes ? { segment_bytes } : {}) });
  opened.push(ledger);
  return ledger;
}

/** A run's folder, and what takes the next epoch of its GRPO stage. */
function newRun() {
  const paths = runPaths(runDirectory(), 'test');
  mkdirSync(paths.dir, { recursive: true });
  return { run_dir: paths.dir, beginEpoch: () => takeEpoch(paths, 'grpo', { node: 'n', pid: 1 }) };
}

const segment = (run_dir: string, name: string) => join(run_dir, 'traces', name);

test('has a trace on disk when its append returns, and finds it by key after reopening', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  await ledger.append(trace(1));
  expect(readFileSync(segment(run_dir, 'grpo-e1-000001.jsonl'), 'utf8')).toBe(lineOf(trace(1), 1).toString());
  await ledger.append(trace(2));
  await ledger.close();
  const again = await grpo(run_dir, 1);
  expect(again.find(trace(2).key)).toEqual(trace(2));
  expect(again.find('0'.repeat(64))).toBeNull();
  await again.close();
});

test('refuses a key that it holds or is writing', async () => {
  const ledger = await grpo(runDirectory(), 1);
  const first = ledger.append(trace(1));
  await expect(ledger.append(trace(1))).rejects.toThrow('Expected a new key');
  await first;
  await expect(ledger.append(trace(1))).rejects.toThrow('Expected a new key');
  await ledger.close();
});

test('seals a segment with its length, digest and number of keys when it closes', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 3);
  await Promise.all([1, 2, 3].map((n) => ledger.append(trace(n))));
  await ledger.close();
  const bytes = readFileSync(segment(run_dir, 'grpo-e3-000001.jsonl'));
  const seal = JSON.parse(readFileSync(segment(run_dir, 'grpo-e3-000001.seal.json'), 'utf8'));
  const digest = (of: Buffer) => createHash('sha256').update(of).digest('hex');
  const index_sha256 = digest(readFileSync(segment(run_dir, 'grpo-e3-000001.index')));
  expect(seal).toEqual({ bytes: bytes.length, sha256: digest(bytes), keys: 3, index_sha256 });
});

test('begins a segment of its own after a restart, and does not read the torn last line that a killed gateway left', async () => {
  const run_dir = runDirectory();
  const killed = await grpo(run_dir, 1);
  await killed.append(trace(1));
  const path = segment(run_dir, 'grpo-e1-000001.jsonl');
  const whole = statSync(path).size;
  appendFileSync(path, lineOf(trace(2), 2).subarray(0, 200));
  const next = await grpo(run_dir, 1);
  // Thought dead, it may be writing still: its file is left as it is.
  expect(statSync(path).size).toBe(whole + 200);
  expect(next.has(trace(2).key)).toBe(false);
  await next.append(trace(2));
  await next.close();
  expect(readFileSync(segment(run_dir, 'grpo-e1-000002.jsonl'), 'utf8')).toContain(trace(2).key);
  expect((await tracesOf(run_dir)).map(({ key }) => key)).toEqual([trace(1).key, trace(2).key]);
});

test('neither truncates nor seals what another writer of the run has open, whoever opens the ledger meanwhile', async () => {
  const paths = runPaths(runDirectory(), 'test');
  const serve = async () =>
    Ledger.open({ run_dir: paths.dir, stage: 'serve', epoch: await claimEpoch(paths.stage('serve')) });
  const [one, other] = await Promise.all([serve(), serve()]);
  await one.append(trace(1));
  const path = segment(paths.dir, 'serve-e1-000001.jsonl');
  // It is in the middle of a line when the third one starts.
  const line = lineOf(trace(2), 2);
  appendFileSync(path, line.subarray(0, 100));
  const third = await serve();
  await third.append(trace(3));
  appendFileSync(path, line.subarray(100));
  await other.append(trace(4));
  await Promise.all([other.close(), third.close()]);
  expect(existsSync(segment(paths.dir, 'serve-e1-000001.seal.json'))).toBe(false);
  expect((await tracesOf(paths.dir)).map(({ key }) => key).sort()).toEqual(
    [1, 2, 3, 4].map((n) => trace(n).key).sort(),
  );
  await one.close();
});

test('leaves the torn end of another epoch alone and does not read it', async () => {
  const { run_dir, beginEpoch } = newRun();
  await beginEpoch();
  const old = await grpo(run_dir, 1);
  await old.append(trace(1));
  const path = segment(run_dir, 'grpo-e1-000001.jsonl');
  appendFileSync(path, '{"key": "torn');
  const size = statSync(path).size;
  await beginEpoch();
  const ledger = await grpo(run_dir, 2);
  expect(ledger.size).toBe(1);
  expect(statSync(path).size).toBe(size);
  await ledger.close();
});

test('ignores what a replaced epoch wrote after the newest one began', async () => {
  const { run_dir, beginEpoch } = newRun();
  await beginEpoch();
  const zombie = await grpo(run_dir, 1);
  await zombie.append(trace(1));
  await beginEpoch();
  await zombie.append(trace(2));
  const ledger = await grpo(run_dir, 2);
  expect([ledger.has(trace(1).key), ledger.has(trace(2).key)]).toEqual([true, false]);
  await ledger.append(trace(2));
  await ledger.close();
  await zombie.close();
  expect((await tracesOf(run_dir)).map(({ key }) => key)).toEqual([trace(1).key, trace(2).key]);
});

test('counts nothing of a segment that the newest epoch did not list, or of an epoch newer than it', async () => {
  const { run_dir, beginEpoch } = newRun();
  await beginEpoch();
  await beginEpoch();
  for (const epoch of [1, 3]) {
    const ledger = await grpo(run_dir, epoch);
    await ledger.append(trace(epoch));
    await ledger.close();
  }
  expect(await tracesOf(run_dir)).toEqual([]);
});

test('splits into segments of the given size and reads them in order', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1, 2000);
  for (let n = 0; n < 12; n++) await ledger.append(trace(n));
  await ledger.close();
  expect(statSync(segment(run_dir, 'grpo-e1-000003.jsonl')).size).toBeLessThan(3000);
  expect((await tracesOf(run_dir)).map(({ prompt }) => prompt)).toEqual(
    Array.from({ length: 12 }, (_, n) => `prompt ${n}`),
  );
});

test('reads lines longer than a chunk, and multi-byte characters across chunks', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  const long = trace(1, { reply: 'ü'.repeat(1_500_000) });
  await ledger.append(long);
  await ledger.append(trace(2));
  await ledger.close();
  const again = await grpo(run_dir, 1);
  expect(again.find(long.key)).toEqual(long);
  expect(again.find(trace(2).key)).toEqual(trace(2));
  await again.close();
});

test.each([
  ['from its index', () => {}],
  ['from its lines where the index is gone', (path: string) => rmSync(path)],
  ['from its lines where the index is damaged', (path: string) => appendFileSync(path, 'x'.repeat(64))],
])('finds what is in a sealed segment, by key and by text, %s', async (_, damage) => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  const again = trace(3, { reused_from: trace(1).key, key: trace(4).key });
  const traces = [
    ...Array.from({ length: 2000 }, (_, n) => trace(n + 10)),
    trace(1),
    trace(2, { rubric_digest: null }),
    again,
  ];
  await Promise.all(traces.map((each) => ledger.append(each)));
  await ledger.close();
  damage(segment(run_dir, 'grpo-e1-000001.index'));
  const reopened = await grpo(run_dir, 1);
  for (const each of traces) expect(reopened.find(each.key)).toEqual(each);
  expect(reopened.size).toBe(2003);
  expect(reopened.has(trace(5).key)).toBe(false);
  expect(reopened.keyOfText(textDigest(trace(1)))).toBe(trace(1).key);
  expect(reopened.keyOfText(textDigest(trace(2)))).toBeNull();
  expect(reopened.keyOfText(textDigest(again))).toBeNull();
  await reopened.close();
});

test('opens a sealed ledger without reading its lines, and finds no line that is not there any more', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  for (const n of [1, 2, 3]) await ledger.append(trace(n));
  await ledger.close();
  const path = segment(run_dir, 'grpo-e1-000001.jsonl');
  const line = lineOf(trace(1), 1).length;
  truncateSync(path, 2 * line);
  const reopened = await grpo(run_dir, 1);
  expect([1, 2, 3].map((n) => reopened.has(trace(n).key))).toEqual([true, true, false]);
  await reopened.close();
});

test('filters traces while streaming them', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  await Promise.all(Array.from({ length: 30 }, (_, n) => ledger.append(trace(n))));
  await ledger.append(trace(99, { verdict: 'unparseable', score: null }));
  await ledger.close();
  const keys = async (filter: TraceFilter) => (await tracesOf(run_dir, filter)).length;
  expect(await keys({ min_score: 8 })).toBe(6);
  expect(await keys({ verdict: 'unparseable' })).toBe(1);
  expect(await keys({ occasion: 'grpo:2:' })).toBe(1);
  expect(await keys({ stage: 'audit' })).toBe(0);
  expect(await keys({ text: 'prompt 1', limit: 4 })).toBe(4);
});

test('ends every line in its number and the CRC-32 of what is before it, which no reader shows', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  await ledger.append(trace(1));
  await Promise.all([ledger.append(trace(2)), ledger.append(trace(3))]);
  expect(ledger.find(trace(1).key)).toEqual(trace(1));
  await ledger.close();
  const lines = readFileSync(segment(run_dir, 'grpo-e1-000001.jsonl'), 'utf8').trimEnd().split('\n');
  for (const [at, line] of lines.entries()) {
    const [, body, checksum] = /^(.*),"crc32":"([0-9a-f]{8})"}$/.exec(line) ?? [];
    expect(crc32(body ?? '')).toBe(Number.parseInt(checksum ?? '', 16));
    expect(JSON.parse(line)).toEqual({ ...trace(at + 1), seq: at + 1, crc32: checksum });
  }
  expect(await tracesOf(run_dir)).toEqual([trace(1), trace(2), trace(3)]);
});

test.each([
  ['not json', () => 'not json'],
  ['a trace without its checksum', () => JSON.stringify(trace(2))],
  [
    "a trace with a number that is not its line's, since a line is gone",
    () => lineOf(trace(3), 3).toString().trimEnd(),
  ],
  [
    'a trace under the checksum of another',
    () => lineOf(trace(2), 2).toString().trimEnd().replace('prompt 2', 'prompt 3'),
  ],
])('refuses to read or to index past %s, and says where it lies', async (_, bad) => {
  const run_dir = runDirectory();
  mkdirSync(join(run_dir, 'traces'));
  writeFileSync(segment(run_dir, 'serve-e1-000001.jsonl'), `${lineOf(trace(1), 1)}${bad()}\n${lineOf(trace(4), 3)}`);
  const damaged = await tracesOf(run_dir).catch((error) => error);
  expect(damaged).toBeInstanceOf(LedgerDamaged);
  expect(damaged.message).toMatch(/serve-e1-000001\.jsonl:2: .*byte \d+/);
  expect(damaged.line).toBe(2);
  await expect(grpo(run_dir, 1)).rejects.toThrow(LedgerDamaged);
});

test('never answers from a line that was damaged after it was indexed', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  await ledger.append(trace(1));
  const path = segment(run_dir, 'grpo-e1-000001.jsonl');
  writeFileSync(path, readFileSync(path, 'utf8').replace('Score: 5', 'Score: 6'));
  expect(() => ledger.find(trace(1).key)).toThrow(LedgerDamaged);
  await ledger.close();
});

test('leaves the seal of a successor alone when a replaced writer wakes and closes its segment', async () => {
  const { run_dir, beginEpoch } = newRun();
  await beginEpoch();
  const zombie = await grpo(run_dir, 1);
  await zombie.append(trace(1));
  await beginEpoch();
  const seal = readFileSync(segment(run_dir, 'grpo-e1-000001.seal.json'), 'utf8');
  await zombie.append(trace(2));
  await zombie.close();
  expect(readFileSync(segment(run_dir, 'grpo-e1-000001.seal.json'), 'utf8')).toBe(seal);
  expect((await beginEpoch()).quarantined).toEqual([]);
  expect((await tracesOf(run_dir)).map(({ key }) => key)).toEqual([trace(1).key]);
});

test('reads by the newest epoch whose record can be read', async () => {
  const { run_dir, beginEpoch } = newRun();
  await beginEpoch();
  const ledger = await grpo(run_dir, 1);
  await ledger.append(trace(1));
  await ledger.close();
  const { dir } = await beginEpoch();
  writeFileSync(join(dir, 'epoch.json'), '{"stage": "gr');
  expect(await tracesOf(run_dir)).toHaveLength(1);
});

test('goes on after a write that failed, without a trace of it', async () => {
  const run_dir = runDirectory();
  const ledger = await grpo(run_dir, 1);
  await ledger.append(trace(1));
  const path = segment(run_dir, 'grpo-e1-000001.jsonl');
  const { size } = statSync(path);
  // A stand-in for a full disk: half of a line is written, then the write fails.
  const { SegmentWriter } = await import('../../src/ledger/writer.ts');
  const { write } = SegmentWriter.prototype;
  SegmentWriter.prototype.write = async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };
  await expect(ledger.append(trace(2))).rejects.toThrow('ENOSPC');
  SegmentWriter.prototype.write = write;
  expect(statSync(path).size).toBe(size);
  await ledger.append(trace(2));
  await ledger.close();
  expect(await tracesOf(run_dir)).toHaveLength(2);
  truncateSync(path, size);
});
