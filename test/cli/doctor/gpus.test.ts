import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gpuChecks, type TorchCuda } from '../../../src/cli/doctor/gpus.ts';
import { cudaOfLock, driverVersion, leastDriver } from '../../../src/gpus/driver.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { gavel } from '../gavel.ts';

const torch: TorchCuda = { version: '2.13.0', cuda: '13.0', seen: 8, error: null };
const blind: TorchCuda = { ...torch, seen: 0, error: 'The NVIDIA driver on your system is too old' };
const checks = (change: Partial<Parameters<typeof gpuChecks>[0]>) =>
  gpuChecks({ gpus: 8, driver: '580.65.06', torch, locked: '13.0', ...change });

describe('the driver', () => {
  it.each([
    ['13.0', 580],
    ['13.5', 580],
    ['12.8', 525],
    ['11.8', 450],
    ['14.0', null],
  ])('for CUDA %s has to be of branch %s or newer', (cuda, least) => {
    expect(leastDriver(cuda)).toBe(least);
  });

  it('is asked of nvidia-smi, which names it once for each GPU', async () => {
    expect(await driverVersion(async () => '580.65.06\n580.65.06\n')).toBe('580.65.06');
    expect(await driverVersion(async () => '')).toBeNull();
  });

  it('is held against the CUDA of the lock file, which is among those that the table has', () => {
    const cuda = cudaOfLock(readFileSync('python/requirements-cuda.lock', 'utf8'));
    expect(cuda).toMatch(/^\d+\.\d+$/);
    expect(leastDriver(cuda ?? '')).not.toBeNull();
    expect(cudaOfLock('nvidia-cuda-runtime-cu12==12.8.90 \\\n')).toBe('12.8');
    expect(cudaOfLock('torch==2.13.0\n')).toBeNull();
  });

  it('that fits is in order, and so is torch', () => {
    expect(checks({}).map(({ name, ok }) => [name, ok])).toEqual([
      ['GPU driver', true],
      ['torch on GPUs', true],
    ]);
  });

  it('that is too old is missing, with the branch that torch needs', () => {
    const [driver, sees] = checks({ driver: '550.54.15', torch: blind });
    expect(driver).toMatchObject({ ok: false, needed: true, fix: "install NVIDIA's driver 580 or newer" });
    expect(driver?.found).toBe('550.54.15; torch 2.13.0 for CUDA 13.0 needs 580 or newer');
    expect(sees).toMatchObject({ ok: false, fix: null });
  });

  it('that is old but works for torch, through a compatibility package, is in order', () => {
    expect(checks({ driver: '550.54.15' }).every(({ ok }) => ok)).toBe(true);
  });

  it('is held against what set-up would install where torch is not installed yet', () => {
    expect(checks({ driver: '550.54.15', torch: null })).toMatchObject([
      { name: 'GPU driver', ok: false, found: '550.54.15; CUDA 13.0 needs 580 or newer' },
    ]);
  });

  it('of CUDA 12 may be older than that of CUDA 13', () => {
    const [driver] = checks({ driver: '535.104.05', torch: { ...torch, cuda: '12.8', seen: 0 } });
    expect(driver).toMatchObject({ ok: true });
  });
});

describe('a torch that does not see the GPUs', () => {
  it('is missing, with its own words, although the driver fits', () => {
    const [driver, sees] = checks({ torch: { ...blind, error: 'system not yet initialized' } });
    expect(driver?.ok).toBe(true);
    expect(sees).toMatchObject({ ok: false, needed: true });
    expect(sees?.found).toContain('sees 0 of the 8 GPUs that nvidia-smi lists: system not yet initialized');
    expect(sees?.fix).toContain('--gpus all');
  });

  it('is missing where it sees some of them', () => {
    expect(checks({ torch: { ...torch, seen: 7 } })[1]).toMatchObject({ ok: false, needed: true });
  });

  it('since it is a CPU build is noted, because that may be on purpose', () => {
    const cpu = { version: '2.13.0+cpu', cuda: null, seen: 0, error: null };
    expect(checks({ torch: cpu })).toMatchObject([
      { name: 'torch on GPUs', ok: false, needed: false, fix: 'GAVEL_ENGINE=cuda npm run setup' },
    ]);
  });
});

// It imports torch, which takes seconds on a busy machine.
it('gavel doctor asks the driver and the installed torch', { timeout: 60_000 }, async () => {
  const folder = temporaryFolder('doctor');
  const program = join(folder, 'nvidia-smi');
  writeFileSync(
    program,
    `#!/bin/sh
case "$1" in
  *driver_version*) echo 470.10 ;;
  *uuid,index*) echo 'GPU-1, 0, NVIDIA H100, 81559, 0' ;;
esac
`,
  );
  chmodSync(program, 0o755);
  const env = { PATH: `${folder}:${process.env.PATH}`, CUDA_VISIBLE_DEVICES: '0' };
  const { stdout } = await gavel(['doctor', '--json'], env);
  const { checks: found } = JSON.parse(stdout) as { checks: { name: string; ok: boolean; found: string }[] };
  const named = (name: string) => found.find((check) => check.name === name);
  expect(named('GPUs')?.found).toBe("0 NVIDIA H100 80 GiB (a run uses those that its spec's placement asks for)");
  expect(named('torch on GPUs')).toMatchObject({ ok: false, found: expect.stringContaining('of the 1 GPUs') });
});
