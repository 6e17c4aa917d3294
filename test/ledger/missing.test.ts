import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { EpochRecord } from '../../src/contracts/stage.ts';
import type { StageName } from '../../src/contracts/trace.ts';
import { lineOf } from '../../src/ledger/line.ts';
import { ledgerTotals } from '../../src/ledger/totals.ts';
import { readContract } from '../../src/run-directory/files.ts';
import type { RunPaths } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aRun, commit, publish } from '../run-directory/a-run.ts';
import { aTrace } from './a-trace.ts';

/** Rewards of committed rollouts are in the weights: each attempt that takes a stage over looks their traces up in the ledger. */

const take = (paths: RunPaths, stage: StageName = 'grpo') => takeEpoch(paths, stage, { node: 'a', pid: 1 });
const keys = (from: number, count: number) => Array.from({ length: count }, (_, n) => [aTrace(from + n).key]);
const lines = (from: number, count: number) =>
  Buffer.concat(Array.from({ length: count }, (_, n) => lineOf(aTrace(from + n), n + 1)));

/** Epoch 1 has graded twelve rollouts, committed ten of them in two checkpoints, and was killed before it could seal its segment. */
async function aTraining() {
  const paths = await aRun();
  await take(paths);
  const path = paths.segment('grpo', 1, 1);
  await writeFile(path, lines(0, 12));
  const parent = await commit(paths, { epoch: 1, step: 1, rollouts: keys(0, 5) });
  const tip = await commit(paths, { epoch: 1, step: 2, parent, rollouts: keys(5, 5) });
  return { paths, path, parent, tip };
}

const recorded = async (paths: RunPaths, stage: StageName, epoch: number) =>
  (await readContract(paths.stage(stage).epoch(epoch).record, EpochRecord)).missing_traces;

test('says nothing where every trace of the committed rollouts is there', async () => {
  const { paths, path } = await aTraining();
  // What was graded and not committed is done again.
  await truncate(path, lines(0, 10).length);
  expect((await take(paths)).quarantined).toEqual([]);
  expect(await recorded(paths, 'grpo', 2)).toBe(0);
});

test.each<[string, number, (path: string) => Promise<unknown>]>([
  ['lost whole lines at its end', 3, (path) => truncate(path, lines(0, 7).length)],
  ['is gone', 10, (path) => rm(path)],
  ['is empty', 10, (path) => truncate(path, 0)],
])(
  'finds the traces of committed rollouts in an unsealed segment that %s, says so once, and goes on',
  async (_, lost, damage) => {
    const { paths, path, tip } = await aTraining();
    await damage(path);
    const { quarantined, resume_from } = await take(paths);
    expect(resume_from?.name).toBe(tip);
    expect(quarantined).toEqual([
      {
        name: 'traces',
        reason: expect.stringMatching(
          new RegExp(`^${lost} traces of committed rollouts missing; for example [0-9a-f]{64} of ${tip}$`),
        ),
        moved_to: null,
      },
    ]);
    expect(await readFile(paths.log('grpo-e2'), 'utf8')).toContain(`${lost} traces of committed rollouts missing`);
    expect(await recorded(paths, 'grpo', 2)).toBe(lost);
    expect((await take(paths)).quarantined).toEqual([]);
    expect(await recorded(paths, 'grpo', 3)).toBe(lost);
  },
);

test('says again what is lost after that', async () => {
  const { paths, path } = await aTraining();
  await writeFile(paths.segment('grpo', 1, 2), lines(20, 2));
  await commit(paths, { epoch: 1, step: 3, parent: 'step-000002.e1', rollouts: keys(20, 2) });
  await truncate(path, lines(0, 9).length);
  await take(paths);
  await rm(paths.segment('grpo', 1, 2));
  const found = (await take(paths)).quarantined.map(({ reason }) => reason);
  expect(found).toEqual([
    'is not there; 2 traces lost',
    expect.stringMatching(/^3 traces of committed rollouts missing; 1 of them known before; for example/),
  ]);
});

test('asks for the rollouts of pruned checkpoints too, and for none outside of the chain', async () => {
  const { paths, path, parent } = await aTraining();
  const folder = paths.stage('grpo').checkpoint(parent);
  await rm(`${folder}/adapter.safetensors`);
  await writeFile(`${folder}/pruned.json`, '{}');
  await commit(paths, { epoch: 1, step: 9, head: false, rollouts: keys(90, 5) });
  await writeFile(path, lines(4, 6));
  expect((await take(paths)).quarantined[0]?.reason).toContain('4 traces of committed rollouts missing');
});

test('a stage after GRPO looks for the traces that the policy was trained with, and the report counts them', async () => {
  const { paths, path, tip } = await aTraining();
  const { epoch } = await publish(paths, [tip]);
  expect((await ledgerTotals(paths)).missing).toBe(0);
  // Both lines are whole and the seal is gone with the rest, as after a copy that ended early.
  await truncate(path, lines(0, 8).length);
  await rm(path.replace('.jsonl', '.seal.json'));
  const found = (await take(paths, 'sft')).quarantined.map(({ reason }) => reason);
  expect(found.at(-1)).toContain('2 traces of committed rollouts missing');
  expect(await recorded(paths, 'grpo', epoch)).toBe(0);
  expect(await recorded(paths, 'sft', 1)).toBe(2);
  expect((await take(paths, 'audit')).quarantined).toEqual([]);
  expect((await ledgerTotals(paths)).missing).toBe(2);
});
