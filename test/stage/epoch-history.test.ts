import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Interruption } from '../../src/contracts/interruption.ts';
import type { Outcome } from '../../src/contracts/stage.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { writeAtomic } from '../../src/run-directory/files.ts';
import { interruptionOf, type PastEpoch, readPastEpochs, untold } from '../../src/stage/epoch-history.ts';
import { aTrace } from '../ledger/a-trace.ts';
import { aRun } from '../run-directory/a-run.ts';

const epoch = (number: number): PastEpoch => ({
  epoch: number,
  outcome: null,
  progressed: false,
  started: true,
});
const told = (stage: string, number: number | null) => ({ stage, epoch: number }) as Interruption;
const epochs = (rows: PastEpoch[]) => rows.map((row) => row.epoch);

it('leaves to be told what is not in the list, also what came before the last attempt', () => {
  const past = [1, 2, 3, 4].map(epoch);
  expect(epochs(untold(past, 'grpo', [told('grpo', 1), told('grpo', 3), told('sft', 4)]))).toEqual([2, 4]);
  expect(epochs(untold(past, 'grpo', [told('grpo', null)]))).toEqual([1, 2, 3, 4]);
});

it.each<[string, Outcome | null, Interruption['cause'] | null]>([
  ['was killed with its worker', null, 'preempted'],
  ['hung', { status: 'failed', message: 'm', field: null, cause: 'hung' }, 'hung'],
  ['ran out of memory', { status: 'failed', message: 'm', field: null, cause: 'out_of_memory' }, 'out_of_memory'],
  ['failed and said no more', { status: 'failed', message: 'm', field: null, cause: null }, 'crashed'],
  ['was superseded', { status: 'preempted', message: 'm', field: null, cause: 'superseded' }, 'superseded'],
  ['was done', { status: 'done', message: 'm', field: null, cause: null }, null],
])('says the cause of an attempt that %s', async (_, outcome, cause) => {
  const paths = await aRun();
  const number = await claimEpoch(paths.stage('grpo'));
  if (outcome) await writeAtomic(paths.stage('grpo').epoch(number).outcome, outcome);
  const [past] = await readPastEpochs(paths, 'grpo', number + 1);
  const found = await interruptionOf(paths, 'grpo', past as PastEpoch, { resume_from: null, quarantined: [] }, 'a');
  expect(found?.cause ?? null).toBe(cause);
  expect(found?.epoch ?? number).toBe(number);
});

it('counts the steps after the checkpoint that the stage goes on from as lost', async () => {
  const paths = await aRun();
  const number = await claimEpoch(paths.stage('grpo'));
  const at = '2026-01-01T00:00:00.000Z';
  const lines = [11, 12, 13].map((step) => JSON.stringify({ stage: 'grpo', epoch: number, step, at, metrics: {} }));
  await writeFile(paths.report.metrics, `${lines.join('\n')}\n`);
  const resume_from = { name: 'step-000010.e1', folder: 'f', step: 10 };
  const found = await interruptionOf(paths, 'grpo', epoch(number), { resume_from, quarantined: [] }, 'a');
  expect(found).toMatchObject({ steps_lost: 3, at });
});

it.each([
  ['audit', 'audit:row-1:0', true],
  ['audit', 'retest:row-1:2:0', true],
  ['grpo', 'audit:row-1:0', true],
  ['grpo', 'grpo:1:0:0:0', false],
] as const)('takes verdicts of %s on %s for progress: %s', async (stage, occasion, progressed) => {
  const paths = await aRun();
  const number = await claimEpoch(paths.stage(stage));
  expect(await readPastEpochs(paths, stage, number + 1)).toMatchObject([{ progressed: false }]);
  const ledger = await Ledger.open({ run_dir: paths.dir, stage, epoch: number });
  await ledger.append(aTrace(1, { stage, occasion }));
  await ledger.close();
  expect(await readPastEpochs(paths, stage, number + 1)).toMatchObject([{ progressed }]);
});
