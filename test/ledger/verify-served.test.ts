import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import { verifyServed } from '../../src/ledger/verify.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { type RunPaths, sealPath } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { tracesOf } from '../gateway/start.ts';
import { aRun } from '../run-directory/a-run.ts';
import { aTrace } from './a-trace.ts';

const serve = async (paths: RunPaths) =>
  Ledger.open({ run_dir: paths.dir, stage: 'serve', epoch: await claimEpoch(paths.stage('serve')) });

/** A run that was served once; the second of its three traces has a flipped bit. */
async function damaged() {
  const paths = await aRun();
  const ledger = await serve(paths);
  for (const n of [1, 2, 3]) await ledger.append(aTrace(n));
  await ledger.close();
  const path = paths.segment('serve', 1, 1);
  const bytes = await readFile(path);
  const at = bytes.indexOf(0x0a) + 40;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
  return { paths, path };
}

const keys = async (paths: RunPaths) => (await tracesOf(paths.dir)).map(({ key }) => key);
const intact = [1, 3].map((n) => aTrace(n).key);

test('restores a damaged segment that was served, so that the run can be served and read again', async () => {
  const { paths } = await damaged();
  await expect(keys(paths)).rejects.toThrow(/serve-e1-000001\.jsonl.*moves it to quarantine/);
  expect(await verifyServed(paths)).toMatchObject([
    { name: 'serve-e1-000001.jsonl', reason: expect.stringContaining('1 trace lost, 2 kept') },
  ]);
  expect(await verifyServed(paths)).toEqual([]);
  expect(await keys(paths)).toEqual(intact);
  await (await serve(paths)).close();
});

test('the next attempt at a stage restores it too', async () => {
  const { paths } = await damaged();
  const { quarantined } = await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  expect(quarantined).toMatchObject([{ name: 'serve-e1-000001.jsonl' }]);
  expect(await keys(paths)).toEqual(intact);
});

test('does not seal an intact segment that its server is still writing', async () => {
  const paths = await aRun();
  const ledger = await serve(paths);
  await ledger.append(aTrace(1));
  expect(await verifyServed(paths)).toEqual([]);
  expect(existsSync(sealPath(paths.segment('serve', 1, 1)))).toBe(false);
  await ledger.append(aTrace(2));
  await ledger.close();
  expect(await keys(paths)).toEqual([1, 2].map((n) => aTrace(n).key));
});
