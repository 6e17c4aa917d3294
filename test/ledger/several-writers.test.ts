import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.ts';
import { lineOf } from '../../src/ledger/line.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { runDirectory, tracesOf } from '../gateway/start.ts';
import { aTrace as trace } from './a-trace.ts';
import { grpo, newRun, segment } from './grpo-ledger.ts';

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

test('opening the ledger neither truncates nor seals what another writer of the run has open', async () => {
  const paths = runPaths(runDirectory(), 'test');
  const serve = async () =>
    Ledger.open({ run_dir: paths.dir, stage: 'serve', epoch: await claimEpoch(paths.stage('serve')) });
  // One after the other, since the first must have the first epoch.
  const one = await serve();
  const other = await serve();
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
