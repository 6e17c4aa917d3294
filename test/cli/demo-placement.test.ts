import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasCudaEngine, onGpus } from '../../src/cli/demo-placement.ts';
import { checkSpec } from '../../src/contracts/spec/check.ts';
import { loadSpec } from '../../src/spec/load-spec.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const demo = loadSpec('examples/poly-easy.yaml');

describe('the demo where vLLM is built for CUDA', () => {
  it('places each model that it serves on a GPU, and nothing where there is none', () => {
    expect(onGpus(demo, 0)).toEqual(demo);
    expect(onGpus(demo, 2).placement).toEqual({ judge_gpus: 1, rollout_gpus: 0, trainer_gpus: 1, grader_gpus: 1 });
    expect(onGpus(demo, 2).audit).toEqual(demo.audit);
  });

  it.each([1, 2, 8])('asks for no more GPUs at once than there are: %i', (gpus) => {
    const spec = onGpus(demo, gpus);
    const { judge_gpus, trainer_gpus, grader_gpus } = spec.placement;
    expect(judge_gpus + trainer_gpus).toBeLessThanOrEqual(gpus);
    expect(grader_gpus * (spec.audit.base ? 2 : 1)).toBeLessThanOrEqual(gpus);
    expect(Math.min(judge_gpus, grader_gpus)).toBe(1);
    expect(checkSpec(spec).problems).toEqual([]);
  });

  it.each([
    ['cuda', true],
    ['cpu', false],
  ])('is known by what set-up has installed: %s', (engine, expected) => {
    const package_root = temporaryFolder('engine');
    expect(hasCudaEngine({ package_root })).toBe(false);
    mkdirSync(join(package_root, '.venv'));
    writeFileSync(join(package_root, '.venv/.gavel-stamp'), JSON.stringify({ engine, torch: '2.13.0' }));
    expect(hasCudaEngine({ package_root })).toBe(expected);
  });
});
