import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import type { Interruption, InterruptionTotals } from '../../src/contracts/interruption.ts';
import { readInterruptions } from '../../src/run-directory/interruptions.ts';
import { InterruptionLog } from '../../src/stage/interruption-log.ts';
import { temporaryFolder } from '../temporary-folder.ts';

let path: string;
let told: InterruptionTotals[];
beforeEach(() => {
  path = join(temporaryFolder('interruptions'), 'interruptions.jsonl');
  told = [];
});

const logOf = (stage: string) => new InterruptionLog(path, stage, (totals) => told.push(totals));

const interruption = (stage: string, what: Interruption['what']): Interruption => ({
  at: new Date(Date.now() - 3000).toISOString(),
  stage,
  epoch: null,
  what,
  cause: 'preempted',
  message: 'killed',
  steps_lost: 1,
  seconds_to_next_commit: null,
});

it('closes every open interruption of its stage at the next commit, whichever process reported it', async () => {
  const grpo = logOf('grpo');
  await grpo.report(interruption('grpo', 'trainer'));
  await logOf('grpo').report(interruption('grpo', 'vllm'));
  await logOf('sft').report(interruption('sft', 'worker'));
  await grpo.committed();
  await grpo.committed();
  const found = await readInterruptions(path);
  expect(found.map(({ stage, what }) => `${stage} ${what}`)).toEqual(['grpo trainer', 'grpo vllm', 'sft worker']);
  expect(found.map(({ seconds_to_next_commit }) => seconds_to_next_commit !== null)).toEqual([true, true, false]);
  expect(found[0]?.seconds_to_next_commit).toBeGreaterThanOrEqual(3);
});

it('tells the workflow the totals of the file, whichever process wrote into it', async () => {
  await logOf('sft').report(interruption('sft', 'worker'));
  const grpo = logOf('grpo');
  await grpo.report(interruption('grpo', 'trainer'));
  await grpo.committed();
  await grpo.committed();
  expect(told.map(({ count, steps_lost }) => [count, steps_lost])).toEqual([
    [1, 1],
    [2, 2],
    [2, 2],
  ]);
  expect(told.at(-1)?.latest.at(-1)?.seconds_to_next_commit).toEqual(expect.any(Number));
});

it('closes interruptions although a line of the file is damaged, and says so', async () => {
  const grpo = logOf('grpo');
  await grpo.report(interruption('grpo', 'trainer'));
  appendFileSync(path, '{"at": "20\n');
  await grpo.committed();
  const problems: string[] = [];
  const found = await readInterruptions(path, problems);
  expect(found).toMatchObject([{ what: 'trainer', seconds_to_next_commit: expect.any(Number) }]);
  expect(problems).toEqual(['1 line(s) of report/interruptions.jsonl could not be read and were left out.']);
});

it('does not end a training where the file cannot be written, and writes the line once it can', async () => {
  const folder = join(path, '..', 'not-there-yet');
  path = join(folder, 'interruptions.jsonl');
  const grpo = logOf('grpo');
  await grpo.report(interruption('grpo', 'trainer'));
  expect(told).toMatchObject([{ count: 1 }]);
  mkdirSync(folder);
  await grpo.committed();
  expect(await readInterruptions(path)).toMatchObject([
    { what: 'trainer', seconds_to_next_commit: expect.any(Number) },
  ]);
});
