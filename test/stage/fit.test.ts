import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { FitReport, FitRequest } from '../../src/contracts/fit.ts';
import { failureType, mayRetry } from '../../src/failures.ts';
import { readContractIfAny, writeAtomic } from '../../src/run-directory/files.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { askForFit, refuseWhatCannotFit } from '../../src/stage/fit.ts';
import { machineOf } from '../../src/stage/machine.ts';
import { aSpec } from '../run-directory/a-run.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const machine = { node: 'n1', memory_bytes: 64, gpu_bytes: [] };

/** A stand-in for / with a control group of this process, its parent, and their limits. */
function system(kind: 'v1' | 'v2', limits: Record<string, string>): string {
  const root = temporaryFolder('system');
  mkdirSync(join(root, 'proc/self'), { recursive: true });
  writeFileSync(
    join(root, 'proc/self/cgroup'),
    kind === 'v2' ? '0::/outer/inner\n' : '5:cpu:/other\n4:memory:/outer/inner\n',
  );
  for (const [group, limit] of Object.entries(limits)) {
    const folder = join(root, 'sys/fs/cgroup', kind === 'v1' ? 'memory' : '', group);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, kind === 'v1' ? 'memory.limit_in_bytes' : 'memory.max'), `${limit}\n`);
  }
  return root;
}

describe('the memory of a machine', () => {
  const here = { node: 'n1', gpus: ['GPU-a'], cuda_visible_devices: null };

  test.each(['v1', 'v2'] as const)('is what the tightest control group allows (%s)', async (kind) => {
    const limited = system(kind, { outer: '1000000', 'outer/inner': '2000000' });
    expect((await machineOf(here, limited)).memory_bytes).toBe(1_000_000);
  });

  test('is all of it where no group has a limit', async () => {
    const { memory_bytes } = await machineOf(here, system('v2', { outer: 'max', 'outer/inner': 'max' }));
    expect(memory_bytes).toBeGreaterThan(2 ** 28);
  });

  test('has GPUs of unknown memory where their ids were given', async () => {
    expect((await machineOf(here)).gpu_bytes).toEqual([0]);
  });
});

test('Python is told where the models are, and of no judge that gavel does not serve', async () => {
  const root = temporaryFolder('fit');
  for (const model of ['policy', 'judge', 'base']) {
    mkdirSync(join(root, 'models', model), { recursive: true });
    writeFileSync(join(root, 'models', model, 'config.json'), '{}');
  }
  const paths = pathsIn(root);
  const config = { ...loadConfig({ GAVEL_ROOT: root }), gpus: [] };
  const spec = aSpec();
  await askForFit(config, spec, paths);
  const asked = await readContractIfAny(paths.fit_request, FitRequest);
  expect(asked?.models.policy).toEqual({ path: join(root, 'models/policy'), revision: null });
  expect(asked?.models.judge?.path).toBe(join(root, 'models/judge'));
  await askForFit(config, { ...spec, judge: { ...spec.judge, engine: 'openai' } }, paths);
  expect((await readContractIfAny(paths.fit_request, FitRequest))?.models.judge).toBeNull();
});

describe('a run', () => {
  const report = (problems: FitReport['problems']) =>
    FitReport.parse({
      machine,
      prompt_tokens: 1,
      micro_batch_size: null,
      verdict: problems.length > 0 ? 'too_large' : 'fits',
      needs: [],
      problems,
    });

  test('that cannot fit is refused for good, with the field and the sum', async () => {
    const paths = pathsIn(temporaryFolder('fit'));
    await writeAtomic(
      paths.fit,
      report([{ field: 'grpo.micro_batch_size', message: 'trainer needs 9 GiB (weights 4 GiB + logits 5 GiB)' }]),
    );
    const error = await refuseWhatCannotFit({ fit: 'refuse' }, paths).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(failureType(error)).toBe('DoesNotFit');
    expect(mayRetry(error)).toBe(false);
    expect((error as Error).message).toBe('grpo.micro_batch_size: trainer needs 9 GiB (weights 4 GiB + logits 5 GiB)');
  });

  test('is reported and not refused on a worker whose machine says nothing of the others', async () => {
    const paths = pathsIn(temporaryFolder('fit'));
    await writeAtomic(paths.fit, report([{ field: 'grpo.lora', message: 'too large' }]));
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    await refuseWhatCannotFit({ fit: 'warn' }, paths);
    expect(said).toHaveBeenCalledWith('May not fit (GAVEL_FIT=warn): grpo.lora: too large');
    said.mockRestore();
  });

  test('that fits, or that has no estimate, is not refused', async () => {
    const paths = pathsIn(temporaryFolder('fit'));
    await refuseWhatCannotFit({ fit: 'refuse' }, paths);
    await writeAtomic(paths.fit, report([]));
    await refuseWhatCannotFit({ fit: 'refuse' }, paths);
  });
});
