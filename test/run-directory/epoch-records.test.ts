import { readFile, rm, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { newestRecord, readEpoch } from '../../src/run-directory/epoch-records.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aRun } from './a-run.ts';

/** A stage with two epochs, and where the record of the second one is. */
async function twoEpochs() {
  const paths = await aRun();
  for (const node of ['a', 'b']) await takeEpoch(paths, 'grpo', { node, pid: 1 });
  return { paths, ...paths.stage('grpo').epoch(2) };
}

test('a record reads as its taker wrote it', async () => {
  const { paths } = await twoEpochs();
  expect(await readEpoch(paths, 'grpo', 2)).toMatchObject({ epoch: 2, node: 'b', starts_from: null });
  expect(await readEpoch(paths, 'grpo', 3)).toBeNull();
});

test('a record with any one byte changed counts as never written, and the one before it counts', async () => {
  const { paths, record } = await twoEpochs();
  const whole = await readFile(record);
  for (let at = 0; at < whole.length; at += 1) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
    await writeFile(record, bytes);
    expect(await readEpoch(paths, 'grpo', 2), `byte ${at}`).toBeNull();
  }
  expect(await newestRecord(paths, 'grpo', 2)).toMatchObject({ epoch: 1, node: 'a' });
  await writeFile(record, whole);
  expect(await newestRecord(paths, 'grpo', 2)).toMatchObject({ epoch: 2, node: 'b' });
});

test('a record with a damaged digest counts as never written', async () => {
  const { paths, record_sha256 } = await twoEpochs();
  await writeFile(record_sha256, `${'0'.repeat(64)}\n`);
  expect(await readEpoch(paths, 'grpo', 2)).toBeNull();
});

test('a record without a digest counts, unless it is no record', async () => {
  const { paths, record, record_sha256 } = await twoEpochs();
  await rm(record_sha256);
  expect(await readEpoch(paths, 'grpo', 2)).toMatchObject({ epoch: 2, node: 'b' });
  await writeFile(record, '{"epoch": 2');
  expect(await readEpoch(paths, 'grpo', 2)).toBeNull();
});
