import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { listGpus } from '../../src/gpus/list.ts';
import { temporaryFolder } from '../temporary-folder.ts';

afterEach(() => void vi.unstubAllEnvs());

// As nvidia-smi prints them with --format=csv,noheader,nounits.
const cards = [
  'GPU-aa11, 0, NVIDIA H100 80GB HBM3, 81559, 4',
  'GPU-bb22, 1, NVIDIA H100 80GB HBM3, 81559, 61000',
  'GPU-bb33, 2, NVIDIA H100 80GB HBM3, 81559, 30000',
];
const query = async (fields: string) =>
  fields.startsWith('--query-gpu') ? `${cards.join('\n')}\n` : 'GPU-bb22, 4242, /usr/bin/python3\n';

test('lists GPUs with who uses them, seen or unseen', async () => {
  const gpus = await listGpus({ query });
  expect(gpus).toHaveLength(3);
  expect(gpus[0]).toEqual({
    uuid: 'GPU-aa11',
    index: 0,
    name: 'NVIDIA H100 80GB HBM3',
    memory_mib: 81559,
    used_by: null,
  });
  expect(gpus[1]?.used_by).toBe('pid 4242 (/usr/bin/python3)');
  expect(gpus[2]?.used_by).toBe('an unseen process with 30000 MiB');
});

test.each([
  ['2,0', ['GPU-bb33', 'GPU-aa11']],
  ['GPU-aa', ['GPU-aa11']],
  ['1,9,0', ['GPU-bb22']],
  ['-1', []],
  ['', []],
  [null, ['GPU-aa11', 'GPU-bb22', 'GPU-bb33']],
])('reads CUDA_VISIBLE_DEVICES=%s as CUDA does', async (visible, expected) => {
  expect((await listGpus({ query, visible })).map(({ uuid }) => uuid)).toEqual(expected);
});

test('an nvidia-smi that fails is an error that quotes it: the machine may have any number of GPUs', async () => {
  const folder = temporaryFolder('smi');
  writeFileSync(join(folder, 'nvidia-smi'), '#!/bin/sh\necho "Unable to determine the device handle"\nexit 9\n', {
    mode: 0o755,
  });
  vi.stubEnv('PATH', `${folder}:/bin:/usr/bin`);
  const listed = listGpus();
  await expect(listed).rejects.toMatchObject({ name: 'GpusUnknown' });
  await expect(listed).rejects.toThrow('failed with exit status 9: Unable to determine the device handle');
});

test('a machine without the program nvidia-smi has no GPUs', async () => {
  vi.stubEnv('PATH', temporaryFolder('no-smi'));
  expect(await listGpus()).toEqual([]);
});

test('a machine without a driver has no GPUs, and given ids stand in for them', async () => {
  expect(await listGpus({ query: async () => '' })).toEqual([]);
  expect((await listGpus({ injected: ['g0', 'g1'] })).map(({ uuid }) => uuid)).toEqual(['g0', 'g1']);
});
