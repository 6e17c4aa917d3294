import { appendFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EpochRecord } from '../../src/contracts/stage.ts';
import { acceptedSegments } from '../../src/ledger/accepted.ts';
import { lineOf } from '../../src/ledger/line.ts';
import { EpochSuperseded, newestEpoch } from '../../src/run-directory/epoch-records.ts';
import { readContract } from '../../src/run-directory/files.ts';
import { readResult } from '../../src/run-directory/result.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aTrace } from '../ledger/a-trace.ts';
import { aRun, commit, publish } from '../run-directory/a-run.ts';

const holder = { node: 'a', pid: 1 };
const take = (paths: Awaited<ReturnType<typeof aRun>>) => takeEpoch(paths, 'grpo', holder);

test('takes the next epoch exactly once under twenty racing takers', async () => {
  const paths = await aRun();
  const settled = await Promise.allSettled(Array.from({ length: 20 }, () => take(paths)));
  const won = settled.filter((result) => result.status === 'fulfilled').map((result) => result.value.epoch);
  const lost = settled.filter((result) => result.status === 'rejected');
  expect(new Set(won).size).toBe(won.length);
  expect(won).toContain(await newestEpoch(paths, 'grpo'));
  for (const result of lost) expect(result.reason).toBeInstanceOf(EpochSuperseded);
});

test('leaves a result alone that was published since the taker looked', async () => {
  const paths = await aRun();
  const after = await newestEpoch(paths, 'grpo');
  const { epoch } = await publish(paths);
  await expect(takeEpoch(paths, 'grpo', holder, { after })).rejects.toBeInstanceOf(EpochSuperseded);
  expect(await readResult(paths, 'grpo')).toMatchObject({ epoch });
});

test('starts afresh where nothing was committed', async () => {
  const paths = await aRun();
  expect(await newestEpoch(paths, 'grpo')).toBeNull();
  expect(await take(paths)).toMatchObject({ epoch: 1, resume_from: null, quarantined: [] });
  expect(await take(paths)).toMatchObject({ epoch: 2, resume_from: null });
});

test('goes on from the HEAD of the epoch before it, and through epochs that committed nothing', async () => {
  const paths = await aRun();
  await take(paths);
  const name = await commit(paths, { epoch: 1, step: 10 });
  expect((await take(paths)).resume_from).toEqual({ name, step: 10, folder: paths.stage('grpo').checkpoint(name) });
  expect((await take(paths)).resume_from?.name).toBe(name);
  const record = await readContract(paths.stage('grpo').epoch(3).record, EpochRecord);
  expect(record).toMatchObject({ stage: 'grpo', epoch: 3, node: 'a', pid: 1, starts_from: name });
});

test('what a zombie commits after its epoch was superseded is void', async () => {
  const paths = await aRun();
  await take(paths);
  const first = await commit(paths, { epoch: 1, step: 10 });
  await take(paths);
  await commit(paths, { epoch: 1, step: 20, parent: first });
  expect((await take(paths)).resume_from?.name).toBe(first);
});

test('a checkpoint that HEAD does not name yet was not committed', async () => {
  const paths = await aRun();
  await take(paths);
  const first = await commit(paths, { epoch: 1, step: 10 });
  await commit(paths, { epoch: 1, step: 20, parent: first, head: false });
  expect((await take(paths)).resume_from?.name).toBe(first);
});

test('falls back to the parent of a checkpoint whose file was truncated and quarantines it', async () => {
  const paths = await aRun();
  await take(paths);
  const parent = await commit(paths, { epoch: 1, step: 10 });
  const broken = await commit(paths, { epoch: 1, step: 20, parent });
  const folder = paths.stage('grpo').checkpoint(broken);
  await truncate(join(folder, 'adapter.safetensors'), 7);

  const taken = await take(paths);
  expect(taken.resume_from).toMatchObject({ name: parent, step: 10 });
  expect(taken.quarantined).toHaveLength(1);
  expect(taken.quarantined[0]?.reason).toMatch(/adapter\.safetensors: expected \d+ bytes, got 7/);
  const moved = taken.quarantined[0]?.moved_to ?? '';
  expect(await readdir(moved)).toContain('manifest.json');
  expect(JSON.parse(await readFile(`${moved}.reason.json`, 'utf8')).from).toBe(folder);
  expect(await readdir(paths.stage('grpo').checkpoints)).toEqual([parent]);
  // The next epoch starts from what this one recorded; the broken one is not asked for again.
  expect((await take(paths)).quarantined).toEqual([]);
});

test('finds one flipped bit', async () => {
  const paths = await aRun();
  await take(paths);
  const parent = await commit(paths, { epoch: 1, step: 10 });
  const file = join(
    paths.stage('grpo').checkpoint(await commit(paths, { epoch: 1, step: 20, parent })),
    'adapter.safetensors',
  );
  const bytes = await readFile(file);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  await writeFile(file, bytes);
  const taken = await take(paths);
  expect(taken.resume_from?.name).toBe(parent);
  expect(taken.quarantined[0]?.reason).toContain('sha256');
});

test('falls back across epochs when every checkpoint of the newest is damaged', async () => {
  const paths = await aRun();
  await take(paths);
  const old = await commit(paths, { epoch: 1, step: 10 });
  await take(paths);
  const middle = await commit(paths, { epoch: 2, step: 20, parent: old });
  const newest = await commit(paths, { epoch: 2, step: 30, parent: middle });
  // Without its manifest the parent is not known, so the checkpoints of its epoch are searched.
  await rm(join(paths.stage('grpo').checkpoint(newest), 'manifest.json'));
  await writeFile(join(paths.stage('grpo').checkpoint(middle), 'manifest.json'), '{"stage": "gr');
  const taken = await take(paths);
  expect(taken.resume_from?.name).toBe(old);
  expect(taken.quarantined.map(({ name }) => name)).toEqual([newest, middle]);
});

test('starts afresh when not one checkpoint is whole', async () => {
  const paths = await aRun();
  await take(paths);
  const name = await commit(paths, { epoch: 1, step: 10 });
  await rm(join(paths.stage('grpo').checkpoint(name), 'adapter.safetensors'));
  expect(await take(paths)).toMatchObject({ resume_from: null, quarantined: [{ name }] });
});

test('a manifest other than the one that HEAD signed is broken, however well it fits its files', async () => {
  const paths = await aRun();
  await take(paths);
  const parent = await commit(paths, { epoch: 1, step: 10 });
  const name = await commit(paths, { epoch: 1, step: 20, parent });
  await appendFile(join(paths.stage('grpo').checkpoint(name), 'manifest.json'), '\n');
  const taken = await take(paths);
  expect(taken.resume_from?.name).toBe(parent);
  expect(taken.quarantined[0]?.reason).toContain('as HEAD says');
});

test('finds the last commit by its manifests where HEAD itself is damaged', async () => {
  const paths = await aRun();
  await take(paths);
  const parent = await commit(paths, { epoch: 1, step: 10 });
  const name = await commit(paths, { epoch: 1, step: 20, parent });
  await writeFile(paths.stage('grpo').epoch(1).head, '');
  expect((await take(paths)).resume_from?.name).toBe(name);
});

test.each([
  ['is gone', null],
  ['names no checkpoint', { checkpoint: 'step-000020/e1', step: 20, manifest_sha256: '0'.repeat(64) }],
])('finds the last commit by its manifests where HEAD %s', async (_, head) => {
  const paths = await aRun();
  await take(paths);
  const parent = await commit(paths, { epoch: 1, step: 10 });
  const name = await commit(paths, { epoch: 1, step: 20, parent });
  await rm(paths.stage('grpo').epoch(1).head);
  if (head) await writeFile(paths.stage('grpo').epoch(1).head, JSON.stringify(head));
  expect((await take(paths)).resume_from?.name).toBe(name);
});

test('a taker that died before it wrote its record does not break the chain', async () => {
  const paths = await aRun();
  await take(paths);
  const name = await commit(paths, { epoch: 1, step: 10 });
  const dead = await take(paths);
  await rm(join(dead.dir, 'epoch.json'));
  expect(await take(paths)).toMatchObject({ epoch: 3, resume_from: { name } });
});

test('a record whose starting point was altered does not bring back a checkpoint that is void', async () => {
  const paths = await aRun();
  await take(paths);
  const name = await commit(paths, { epoch: 1, step: 10 });
  await take(paths);
  const zombie = await commit(paths, { epoch: 1, step: 14, parent: name, head: false });
  const { record } = paths.stage('grpo').epoch(2);
  await writeFile(record, (await readFile(record, 'utf8')).replace(name, zombie));
  expect((await readContract(record, EpochRecord)).starts_from).toBe(zombie);
  expect((await take(paths)).resume_from?.name).toBe(name);
});

test('accepts the complete lines of older segments and never again what was once void', async () => {
  const paths = await aRun();
  const accepted = async (epoch: number) =>
    (await readContract(paths.stage('grpo').epoch(epoch).record, EpochRecord)).accepted_segments;
  await take(paths);
  const first = paths.segment('grpo', 1, 1);
  const [a, b, torn] = [lineOf(aTrace(1), 1), lineOf(aTrace(2), 2), lineOf(aTrace(3), 3)];
  await writeFile(first, Buffer.concat([a, b, torn.subarray(0, 9)]));
  await writeFile(paths.segment('sft', 1, 1), '{"other":"stage"}\n');
  await writeFile(paths.segment('serve', 1, 1), '{"of":"nobody"}\n');
  await take(paths);
  expect(await accepted(2)).toEqual({ 'grpo-e1-000001.jsonl': a.length + b.length });
  // The zombie of epoch 1 goes on writing, in its segment and in a new one.
  await appendFile(first, Buffer.concat([torn.subarray(9), lineOf(aTrace(4), 4)]));
  await writeFile(paths.segment('grpo', 1, 2), lineOf(aTrace(5), 1));
  await writeFile(paths.segment('grpo', 2, 1), lineOf(aTrace(6), 1));
  expect((await take(paths)).quarantined).toEqual([]);
  expect(await accepted(3)).toEqual({
    'grpo-e1-000001.jsonl': a.length + b.length,
    'grpo-e1-000002.jsonl': 0,
    'grpo-e2-000001.jsonl': lineOf(aTrace(6), 1).length,
  });
});

test('walks past a pruned checkpoint without calling it damaged', async () => {
  const paths = await aRun();
  await take(paths);
  const first = await commit(paths, { epoch: 1, step: 10 });
  const pruned = await commit(paths, { epoch: 1, step: 20, parent: first });
  const last = await commit(paths, { epoch: 1, step: 30, parent: pruned });
  const folder = paths.stage('grpo').checkpoint(pruned);
  for (const file of await readdir(folder)) {
    if (file !== 'manifest.json') await rm(join(folder, file));
  }
  await writeFile(join(folder, 'pruned.json'), '{}');
  await writeFile(join(paths.stage('grpo').checkpoint(last), 'manifest.json'), 'damaged');
  const taken = await take(paths);
  expect(taken.resume_from?.name).toBe(first);
  expect(taken.quarantined.map(({ name }) => name)).toEqual([last]);
});

/** A stage whose second epoch has made a zombie's trace of the first one void. */
async function withVoidTrace() {
  const paths = await aRun();
  await take(paths);
  const segment = paths.segment('grpo', 1, 1);
  await mkdir(paths.traces, { recursive: true });
  await writeFile(segment, lineOf(aTrace(1), 1));
  await take(paths);
  await appendFile(segment, lineOf(aTrace(2), 2));
  return {
    paths,
    ...paths.stage('grpo').epoch(2),
    bytes: () => acceptedSegments(paths.dir).then(([one]) => one?.accepted),
  };
}

test('a record without its digest keeps void what it made void, and the next attempt says so once', async () => {
  const { paths, record_sha256, bytes } = await withVoidTrace();
  const before = await bytes();
  await rm(record_sha256);
  expect(await bytes()).toBe(before);
  expect(await take(paths)).toMatchObject({ epoch: 3, quarantined: [] });
  expect(await bytes()).toBe(before);
  const said = /grpo epoch 2: epoch\.json: expected its digest in epoch\.sha256 beside it, found no such file/;
  expect(await readFile(paths.log('grpo-e3'), 'utf8')).toMatch(said);
  await take(paths);
  expect(await readFile(paths.log('grpo-e4'), 'utf8').catch(() => '')).not.toMatch(said);
  await writeFile(paths.stage('grpo').epoch(2).record, '{}');
  expect((await take(paths)).quarantined).toHaveLength(1);
});

test('a damaged record goes to quarantine, and the log says that it counts as never written', async () => {
  const { paths, record } = await withVoidTrace();
  const text = await readFile(record, 'utf8');
  await writeFile(record, text.replace('"pid": 1', '"pid": 3'));
  const { quarantined } = await take(paths);
  expect(quarantined).toMatchObject([
    {
      name: 'grpo epoch 2: epoch.json',
      reason: expect.stringMatching(/expected the sha256 .* counts as never written/),
    },
  ]);
  expect(await readFile(quarantined[0]?.moved_to ?? '', 'utf8')).toContain('"pid": 3');
  expect(await readFile(paths.log('grpo-e3'), 'utf8')).toContain('grpo epoch 2: epoch.json');
  expect((await take(paths)).quarantined).toEqual([]);
});
