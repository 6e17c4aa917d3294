import { expect, it } from 'vitest';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { commitThinning } from '../../src/stage/commit-thinning.ts';
import { spec } from '../workflows/environment.ts';

it.each([
  [60, 10],
  [100_000, 10],
  [1_000_000, 1],
])('tells the workflow of at most 1,200 commits of %i steps, the last among them', (steps, save_every) => {
  const tell = commitThinning('grpo', Spec.parse({ ...spec, grpo: { steps, save_every } }));
  const progress = { stage: 'grpo', epoch: 1, total: steps, checkpoint: null, metrics: {} };
  let told = 0;
  for (let step = save_every; step <= steps; step += save_every) if (tell({ ...progress, step })) told += 1;
  expect(told).toBeLessThanOrEqual(1201);
  expect(told).toBeGreaterThanOrEqual(Math.min(6, steps / save_every));
  expect(tell({ ...progress, step: steps })).toBe(true);
});
