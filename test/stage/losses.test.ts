import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Preemption } from '../../src/contracts/status.ts';
import { readPreemptions } from '../../src/run-directory/preemptions.ts';
import { Losses } from '../../src/stage/losses.ts';

let folder: string;
let told: Preemption[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gavel-losses-'));
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const preemption = (stage: string, what: Preemption['what']): Preemption => ({
  at: new Date(Date.now() - 3000).toISOString(),
  stage,
  what,
  cause: 'killed',
  steps_lost: 1,
  seconds_to_next_commit: null,
});

it('closes every open preemption of its stage at the next commit, whoever reported it', async () => {
  const path = join(folder, 'preemptions.jsonl');
  const losses = new Losses(path, 'grpo', (one) => told.push(one));
  await losses.report(preemption('grpo', 'trainer'));
  await new Losses(path, 'grpo', () => undefined).report(preemption('grpo', 'vllm'));
  await new Losses(path, 'sft', () => undefined).report(preemption('sft', 'worker'));
  await losses.committed();
  await losses.committed();
  const found = (await readPreemptions(path)) ?? [];
  expect(found.map(({ stage, what }) => `${stage} ${what}`)).toEqual(['grpo trainer', 'grpo vllm', 'sft worker']);
  expect(found.map(({ seconds_to_next_commit }) => seconds_to_next_commit !== null)).toEqual([true, true, false]);
  expect(found[0]?.seconds_to_next_commit).toBeGreaterThanOrEqual(3);
  expect(told).toHaveLength(3);
});

it('closes preemptions although a line of the file is damaged, and says so', async () => {
  const path = join(folder, 'preemptions.jsonl');
  const losses = new Losses(path, 'grpo', (one) => told.push(one));
  await losses.report(preemption('grpo', 'trainer'));
  appendFileSync(path, '{"at": "20\n');
  await losses.committed();
  const problems: string[] = [];
  const found = await readPreemptions(path, problems);
  expect(found).toMatchObject([{ what: 'trainer', seconds_to_next_commit: expect.any(Number) }]);
  expect(problems).toEqual(['1 line(s) of report/preemptions.jsonl could not be read and were left out.']);
});

it('does not end a training where the file cannot be written', async () => {
  const losses = new Losses(join(folder, 'no/such/folder.jsonl'), 'grpo', (one) => told.push(one));
  await losses.report(preemption('grpo', 'trainer'));
  await losses.committed();
  expect(told).toHaveLength(1);
});
