import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { specDigest } from '../../src/run-directory/create-run.ts';
import { writeAtomic } from '../../src/run-directory/files.ts';
import { readPlan } from '../../src/stage/plan.ts';
import { aRun, aSpec } from '../run-directory/a-run.ts';

async function aPreparedRun() {
  const paths = await aRun();
  await writeFile(paths.rubric, 'the rubric');
  return paths;
}

test('a plan holds digests, limits, placement and names, and nothing else of the spec', async () => {
  const paths = await aPreparedRun();
  const plan = await readPlan(paths);
  expect(plan.spec_digest).toBe(specDigest(aSpec()));
  expect(plan.limits).toEqual(aSpec().limits);
  expect(plan.models).toEqual({
    policy: 'models/policy',
    judge: 'models/judge',
    grader: 'runs/first/grader/merged',
    base: 'models/base',
  });
  const named = JSON.stringify({ ...plan, models: null, summaries: null });
  expect(named).not.toContain('models/');
});

test('a spec that was edited after the run was made is refused', async () => {
  const paths = await aPreparedRun();
  await writeAtomic(paths.spec, aSpec('first', 7));
  await expect(readPlan(paths)).rejects.toThrow(/to be the spec that the run was made with .* put the file back/);
});
