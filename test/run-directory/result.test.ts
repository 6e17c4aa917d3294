import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { digestOf } from '../../src/run-directory/digest.ts';
import type { RunPaths } from '../../src/run-directory/paths.ts';
import { readResult, readVerifiedResult } from '../../src/run-directory/result.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { aRun, commit, publish } from './a-run.ts';

const verified = (paths: RunPaths, signal = new AbortController().signal) => readVerifiedResult(paths, 'grpo', signal);

test('reads a result that is as it was published', async () => {
  const paths = await aRun();
  expect(await verified(paths)).toEqual({ result: null, quarantined: [] });
  await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  const { epoch } = await publish(paths, [await commit(paths, { epoch: 1, step: 30 })]);
  expect(await verified(paths)).toMatchObject({ result: { epoch, step: 30 }, quarantined: [] });
  expect(await readResult(paths, 'grpo')).toMatchObject({ epoch });
});

test.each<[string, (result: Awaited<ReturnType<typeof publish>>, paths: RunPaths) => Promise<unknown>]>([
  ['half-written', ({ path, bytes }) => truncate(path, bytes.length / 2)],
  ['empty', ({ path }) => truncate(path, 0)],
  ['changed in a figure', ({ path, bytes }) => writeFile(path, bytes.toString().replace('0.5', '0.6'))],
  ['without its digest', ({ epoch }, paths) => rm(paths.stage('grpo').epoch(epoch).result_sha256)],
])('sets a result aside that is %s, and a newer epoch publishes another', async (_, damage) => {
  const paths = await aRun();
  const first = await publish(paths);
  await damage(first, paths);
  expect(await readResult(paths, 'grpo')).toBeNull();
  const { result, quarantined } = await verified(paths);
  expect(result).toBeNull();
  expect(quarantined).toMatchObject([{ name: 'grpo/result.json', reason: expect.stringContaining('result.json') }]);
  expect(await readFile(quarantined[0]?.moved_to ?? '')).toBeInstanceOf(Buffer);
  expect(await verified(paths)).toEqual({ result: null, quarantined: [] });
  const { epoch } = await publish(paths);
  expect(epoch).toBe(first.epoch + 1);
  expect((await verified(paths)).result).toMatchObject({ epoch });
});

test('a superseded epoch that publishes late publishes nothing that counts, and its result is set aside', async () => {
  const paths = await aRun();
  const { epoch } = await publish(paths);
  expect(await readResult(paths, 'grpo')).toMatchObject({ epoch });
  await takeEpoch(paths, 'grpo', { node: 'b', pid: 2 });
  expect(await readResult(paths, 'grpo')).toBeNull();
  const { result, quarantined } = await verified(paths);
  expect(result).toBeNull();
  expect(quarantined).toMatchObject([
    { name: 'grpo/result.json', reason: expect.stringContaining(`epoch ${epoch}, which was superseded`) },
  ]);
  expect(await verified(paths)).toEqual({ result: null, quarantined: [] });
});

test('finds every flipped byte of a result', async () => {
  const paths = await aRun();
  const { path, bytes } = await publish(paths);
  for (let at = 0; at < bytes.length; at += 17) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 4;
    await writeFile(path, changed);
    expect(await readResult(paths, 'grpo')).toBeNull();
  }
  await writeFile(path, bytes);
  expect(await readResult(paths, 'grpo')).not.toBeNull();
});

test('sets a result aside with the artifact that is damaged', async () => {
  const paths = await aRun();
  const { rows } = await publish(paths);
  await writeFile(rows, '{"id":"r1"}\n');
  const { result, quarantined } = await verified(paths);
  expect(result).toBeNull();
  expect(quarantined.map(({ name }) => name)).toEqual(['grpo/result.json', 'grpo/epochs/000001/audit-rows.jsonl']);
  expect(quarantined[0]?.reason).toMatch(/its artifact grpo\/epochs\/000001\/audit-rows\.jsonl: expected sha256/);
  expect(await readFile(quarantined[1]?.moved_to ?? '', 'utf8')).toBe('{"id":"r1"}\n');
});

test('sets a result aside whose artifact is gone', async () => {
  const paths = await aRun();
  const { rows } = await publish(paths);
  await rm(rows);
  expect(await readResult(paths, 'grpo')).toBeNull();
  const { result, quarantined } = await verified(paths);
  expect(result).toBeNull();
  expect(quarantined[1]).toMatchObject({ reason: expect.stringContaining('it is not there'), moved_to: null });
});

/** A reader of the result that hangs on `file`, which is out of its successors' way; `wake` gives it something damaged to read. */
async function stalledReader(paths: RunPaths, file: string) {
  await rm(file);
  execFileSync('mkfifo', [file]);
  const reading = verified(paths);
  // Fails with ENXIO until somebody reads.
  const pipe = await vi.waitFor(() => open(file, constants.O_WRONLY | constants.O_NONBLOCK));
  await rm(file);
  const wake = async () => {
    await pipe.writeFile('{"stage": "gr');
    await pipe.close();
    return reading;
  };
  return { wake };
}

test.each(['result', 'artifact'])(
  'a reader that stalled over a damaged %s leaves alone what a successor published',
  async (which) => {
    const paths = await aRun();
    const { path, rows } = await publish(paths);
    const { wake } = await stalledReader(paths, which === 'result' ? path : rows);
    await rm(path, { force: true });
    const { epoch } = await publish(paths);
    expect((await wake()).result).toMatchObject({ epoch });
    expect(await readResult(paths, 'grpo')).toMatchObject({ epoch });
  },
);

test('a reader whose attempt was given up moves nothing', async () => {
  const paths = await aRun();
  const { path } = await publish(paths);
  await truncate(path, 0);
  await expect(verified(paths, AbortSignal.abort())).rejects.toThrow('aborted');
  expect(await readFile(path, 'utf8')).toBe('');
});

test('leaves the last checkpoint to takeEpoch, which falls back, and sets an earlier one aside itself', async () => {
  const paths = await aRun();
  await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  const first = await commit(paths, { epoch: 1, step: 0 });
  const middle = await commit(paths, { epoch: 1, step: 15, parent: first });
  const last = await commit(paths, { epoch: 1, step: 30, parent: middle });
  await publish(paths, [first, middle, last]);
  const spoil = (name: string) => writeFile(join(paths.stage('grpo').checkpoint(name), 'adapter.safetensors'), 'x');
  await spoil(first);
  await spoil(last);
  const { quarantined } = await verified(paths);
  expect(quarantined.map(({ name, moved_to }) => [name, moved_to !== null])).toEqual([
    ['grpo/result.json', true],
    [`grpo/checkpoints/${first}`, true],
    [`grpo/checkpoints/${last}`, false],
  ]);
  const taken = await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  expect(taken.resume_from?.name).toBe(middle);
  expect(taken.quarantined.map(({ name }) => name)).toEqual([last]);
});

test('digests a folder by the paths and contents of its files, as the trainers do', async () => {
  const folder = temporaryFolder('test');
  await mkdir(join(folder, 'a'));
  const files = { 'b.txt': 'two', 'a/é.txt': 'one', 'a/\u{1F600}': 'three', 'a/\uff5e': 'four' };
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  expect(await digestOf(folder)).toBe(FOLDER);
  // What git and download tools keep beside the files differs between equal copies.
  await mkdir(join(folder, '.cache/huggingface'), { recursive: true });
  await writeFile(join(folder, '.cache/huggingface/notes'), 'here');
  await writeFile(join(folder, 'a/.gitignore'), '*');
  expect(await digestOf(folder)).toBe(FOLDER);
  await writeFile(join(folder, 'b.txt'), 'twe');
  expect(await digestOf(folder)).not.toBe(FOLDER);
  expect(await digestOf(join(folder, 'none'))).toBeNull();
});

/** The same files have the same digest in python/tests/run/test_results.py. */
const FOLDER = 'f475a73c7bd531a0d574647ce4cb96a86eebeb4cd6f61b414452631cc79b06ee';
