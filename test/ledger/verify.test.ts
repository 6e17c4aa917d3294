import { existsSync } from 'node:fs';
import { appendFile, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { EpochRecord } from '../../src/contracts/stage.ts';
import type { StageName } from '../../src/contracts/trace.ts';
import { lineOf } from '../../src/ledger/line.ts';
import { readTraces } from '../../src/ledger/reader.ts';
import { readSeal } from '../../src/ledger/seal.ts';
import { readContract } from '../../src/run-directory/files.ts';
import { indexPath, type RunPaths, sealPath } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aRun } from '../run-directory/a-run.ts';
import { aTrace } from './a-trace.ts';

const take = (paths: RunPaths, stage: StageName = 'grpo') => takeEpoch(paths, stage, { node: 'a', pid: 1 });

/** Trace number `n`, which `keys` calls `k<n>`. */
const numbered = (n: number) => aTrace(n, { key: `${n}`.padStart(64, '0'), reply: `täxt ${n}` });

/** Traces as far as the ledger looks at them, in the lines of a segment. */
const lines = (from: number, count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => lineOf(numbered(from + n), n + 1)));

async function keys(paths: RunPaths) {
  const found: string[] = [];
  for await (const { key } of readTraces(paths.dir)) found.push(`k${Number(key)}`);
  return found;
}

async function flip(path: string, at: number, mask = 1) {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ mask;
  await writeFile(path, bytes);
}

const accepted = async (paths: RunPaths, epoch: number) =>
  (await readContract(paths.stage('grpo').epoch(epoch).record, EpochRecord)).accepted_segments;

/** Epoch 1 has written one segment of ten traces, k0 to k9, and was killed; with `sealed`, epoch 2 has sealed it. */
async function aLedger({ sealed }: { sealed: boolean }) {
  const paths = await aRun();
  await take(paths);
  const path = paths.segment('grpo', 1, 1);
  await writeFile(path, lines(0, 10));
  if (sealed) await take(paths);
  return { paths, path, epoch: sealed ? 3 : 2 };
}

const done = (paths: RunPaths) => writeFile(paths.stage('grpo').result, '{}');

test('seals what a killed writer left unsealed, up to its last whole line', async () => {
  const { paths, path } = await aLedger({ sealed: false });
  await appendFile(path, '{"torn');
  expect((await take(paths)).quarantined).toEqual([]);
  expect(await readSeal(path)).toMatchObject({ bytes: lines(0, 10).length, keys: 10 });
  expect((await take(paths)).quarantined).toEqual([]);
});

test.each([{ sealed: false }, { sealed: true }])(
  'quarantines a segment with a flipped bit, keeps its other lines and says so once ($sealed)',
  async ({ sealed }) => {
    const { paths, path, epoch } = await aLedger({ sealed });
    await flip(path, lines(0, 4).length + 12);
    await expect(keys(paths)).rejects.toThrow(/grpo-e1-000001\.jsonl:5/);
    const damaged = await readFile(path);

    const { quarantined } = await take(paths);
    expect(quarantined).toHaveLength(1);
    expect(quarantined[0]).toMatchObject({ name: 'grpo-e1-000001.jsonl' });
    expect(quarantined[0]?.reason).toMatch(
      /1 of 10 lines damaged or missing, the first: line 5: .*; 1 trace lost, 9 kept/,
    );
    const moved = quarantined[0]?.moved_to ?? '';
    expect(await readFile(moved)).toEqual(damaged);
    expect(JSON.parse(await readFile(`${moved}.reason.json`, 'utf8'))).toMatchObject({ from: path });

    expect(await keys(paths)).toEqual(['k0', 'k1', 'k2', 'k3', 'k5', 'k6', 'k7', 'k8', 'k9']);
    const { length } = await readFile(path);
    expect(await accepted(paths, epoch)).toEqual({ 'grpo-e1-000001.jsonl': length });
    expect(await readSeal(path)).toMatchObject({ bytes: length, keys: 9 });
    expect((await take(paths)).quarantined).toEqual([]);
    expect(await keys(paths)).toHaveLength(9);
  },
);

test.each([{ sealed: false }, { sealed: true }])(
  'finds a line that is gone from the middle by the gap in the numbers, and renumbers what is kept ($sealed)',
  async ({ sealed }) => {
    const { paths, path } = await aLedger({ sealed });
    const whole = await readFile(path);
    const line = (from: number) => lines(0, from).length;
    await writeFile(path, Buffer.concat([whole.subarray(0, line(3)), whole.subarray(line(5))]));
    await expect(keys(paths)).rejects.toThrow(/grpo-e1-000001\.jsonl:4: expected sequence number 4, got 6/);
    const { quarantined } = await take(paths);
    expect(quarantined[0]?.reason).toMatch(
      /2 of 10 lines damaged or missing, the first: line 4: .*; 2 traces lost, 8 kept/,
    );
    expect(await keys(paths)).toEqual(['k0', 'k1', 'k2', 'k5', 'k6', 'k7', 'k8', 'k9']);
    const kept = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(kept.map((each) => JSON.parse(each).seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect((await take(paths)).quarantined).toEqual([]);
  },
);

/** A record that can still be read, but counts one line fewer or more than its taker did. */
const counting = (change: number) => async (record: string) => {
  const { length } = lines(0, 10);
  const text = await readFile(record, 'utf8');
  expect(text).toContain(`": ${length}`);
  const other = change < 0 ? lines(0, 9).length : Buffer.concat([lines(0, 10), lines(100, change)]).length;
  await writeFile(record, text.replace(`": ${length}`, `": ${other}`));
};

test.each([
  ['cut', (record: string) => writeFile(record, '{"stage": "gr')],
  ['one line short', counting(-1)],
  ['one line long', counting(1)],
])(
  'holds a superseded writer to what its successor sealed also where the record of the successor is damaged: %s',
  async (_, damage) => {
    const { paths, path } = await aLedger({ sealed: true });
    await writeFile(paths.segment('grpo', 2, 1), lines(50, 3));
    await appendFile(path, lines(100, 5));
    await damage(paths.stage('grpo').epoch(2).record);
    expect(await keys(paths)).toHaveLength(13);
    expect((await take(paths)).quarantined).toMatchObject([{ name: 'grpo epoch 2: epoch.json' }]);
    expect(await accepted(paths, 3)).toEqual({
      'grpo-e1-000001.jsonl': lines(0, 10).length,
      'grpo-e2-000001.jsonl': lines(50, 3).length,
    });
  },
);

test('finds a sealed segment that was truncated, at a line or within one', async () => {
  for (const cut of [0, 7]) {
    const { paths, path } = await aLedger({ sealed: true });
    await truncate(path, lines(0, 6).length - cut);
    const { quarantined } = await take(paths);
    expect(quarantined[0]?.reason).toMatch(/as its seal says.*; [45] traces lost, [65] kept/);
    expect(await keys(paths)).toHaveLength(cut === 0 ? 6 : 5);
    expect((await take(paths)).quarantined).toEqual([]);
  }
});

test('finds a segment shorter than was accepted though its seal is gone too', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await truncate(path, lines(0, 6).length);
  await rm(sealPath(path));
  const { quarantined } = await take(paths);
  expect(quarantined[0]?.reason).toMatch(/as epoch\.json accepted.*; the traces of \d+ bytes lost, 6 kept/);
  expect((await take(paths)).quarantined).toEqual([]);
});

test('reports a segment that is gone, once', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await rm(path);
  const expected = { name: basename(path), reason: 'is not there; 10 traces lost', moved_to: null };
  expect((await take(paths)).quarantined).toEqual([expected]);
  expect((await take(paths)).quarantined).toEqual([]);
  expect(await keys(paths)).toEqual([]);
});

test('sets a damaged seal aside and seals again, since its segment is whole', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  for (const damage of [
    async () => writeFile(sealPath(path), '{"bytes": 1'),
    async () =>
      writeFile(sealPath(path), (await readFile(sealPath(path), 'utf8')).replace(/[0-9a-f]{64}/, 'a'.repeat(64))),
  ]) {
    await damage();
    const { quarantined } = await take(paths);
    expect(quarantined).toMatchObject([
      { name: 'grpo-e1-000001.seal.json', reason: expect.stringContaining('no trace lost') },
    ]);
    expect((await take(paths)).quarantined).toEqual([]);
    expect(await keys(paths)).toHaveLength(10);
  }
});

test('makes a missing or damaged index again, without a word, since the segment holds all that it says', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  const whole = await readFile(indexPath(path));
  for (const damage of [() => rm(indexPath(path)), () => flip(indexPath(path), 70)]) {
    await damage();
    expect((await take(paths)).quarantined).toEqual([]);
    expect(await readFile(indexPath(path))).toEqual(whole);
  }
});

test('never lets void lines count because a segment was restored', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await appendFile(path, lines(100, 5));
  await flip(path, 20);
  const { quarantined } = await take(paths);
  expect(quarantined[0]?.reason).toContain('1 trace lost, 9 kept');
  expect(await keys(paths)).toEqual(['k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9']);
});

test('does not count what a woken writer appends to the file that it still has open', async () => {
  const { paths, path } = await aLedger({ sealed: false });
  const zombie = await open(path, 'a');
  await flip(path, 20);
  const { quarantined } = await take(paths);
  await zombie.appendFile(lines(100, 3));
  await zombie.close();
  expect(await readFile(quarantined[0]?.moved_to ?? '', 'utf8')).toContain('täxt 102');
  expect(await keys(paths)).toHaveLength(9);
  expect((await take(paths)).quarantined).toEqual([]);
  expect(await keys(paths)).toHaveLength(9);
});

test('restores the ledger of a stage that is done before a later stage reads it, and says so once', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await writeFile(paths.segment('grpo', 2, 1), lines(50, 3));
  await flip(path, 20);
  await flip(paths.segment('grpo', 2, 1), lines(50, 3).length - 5);
  await done(paths);
  const { quarantined } = await take(paths, 'sft');
  expect(quarantined.map(({ name }) => name)).toEqual(['grpo-e1-000001.jsonl', 'grpo-e2-000001.jsonl']);
  expect(await keys(paths)).toHaveLength(11);
  expect((await take(paths, 'audit')).quarantined).toEqual([]);
});

test('leaves the segments of a stage that is not done alone: an attempt may be writing them', async () => {
  const { paths, path } = await aLedger({ sealed: false });
  await flip(path, 20);
  expect((await take(paths, 'sft')).quarantined).toEqual([]);
  expect(await readSeal(path)).toBeNull();
});

test('a segment that is being restored is never away from its name, so a taker that dies there loses nothing', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await flip(path, 20);
  let watching = true;
  let away = 0;
  const watch = (async () => {
    for (; watching; await new Promise((resolve) => setImmediate(resolve))) if (!existsSync(path)) away += 1;
  })();
  await take(paths);
  watching = false;
  await watch;
  expect(away).toBe(0);
});

test('racing takers restore a segment to the same bytes', async () => {
  const { paths, path } = await aLedger({ sealed: true });
  await flip(path, 20);
  const taken = await Promise.allSettled(Array.from({ length: 8 }, () => take(paths)));
  expect(taken.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
  expect(await keys(paths)).toHaveLength(9);
  expect((await take(paths)).quarantined).toEqual([]);
  expect((await readdir(paths.traces)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

/** A small generator of its own (mulberry32), so that a failure can be repeated. */
function seeded(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test.each([{ sealed: false }, { sealed: true }])(
  'finds every change of one byte that counts; unsealed, only a lost end of the last line passes as torn ($sealed)',
  async ({ sealed }) => {
    const { paths, path } = await aLedger({ sealed });
    const whole = lines(0, 10);
    const seal = await readFile(sealPath(path)).catch(() => null);
    const random = seeded(7);
    const places = [whole.length - 1, ...Array.from({ length: 60 }, () => random(whole.length))];
    for (const at of places) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 + random(255));
      await writeFile(path, bytes);
      const read = await keys(paths).catch(() => null);
      const found = (await take(paths)).quarantined;
      const kept = await keys(paths);
      const torn = at === whole.length - 1;
      if (torn) expect(read).toHaveLength(9);
      else expect(read).toBeNull();
      expect(found).toHaveLength(torn && !sealed ? 0 : 1);
      // Whatever is kept was written: a flip costs the line that it hit, or the two that it joined.
      expect(kept.length).toBeGreaterThanOrEqual(8);
      for (const key of kept) expect(key).toMatch(/^k[0-9]$/);
      await rm(sealPath(path), { force: true });
      if (seal) await writeFile(sealPath(path), seal);
      await rm(paths.stage('grpo').epochs, { recursive: true });
      await take(paths);
      await writeFile(path, whole);
      if (sealed) await take(paths);
    }
  },
  60_000,
);
