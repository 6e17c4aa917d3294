import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { canonicalJson, textDigest } from '../../src/ledger/key.ts';
import { LedgerDamaged, lineOf } from '../../src/ledger/line.ts';
import type { TraceFilter } from '../../src/ledger/reader.ts';
import { runDirectory, tracesOf } from '../gateway/start.ts';
import { aTrace as trace } from './a-trace.ts';
import { grpo, segment } from './grpo-ledger.ts';

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

test('digests a question as the canonical JSON of its fields, so that an index that is there stays right', () => {
  const asked = { ...trace(1), messages: [{ role: 'user' as const, content: 'a\u2028"ü' }] };
  const { role, model, model_digest, endpoint, rubric_digest, mode, messages } = asked;
  const canonical = canonicalJson({ role, model, model_digest, endpoint, rubric_digest, mode, messages });
  expect(textDigest(asked)).toBe(createHash('sha256').update(canonical).digest('base64url').slice(0, 22));
});
