import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Config, pythonEnv } from '../../config.ts';
import { cudaOfLock, driverVersion, leastDriver } from '../../gpus/driver.ts';
import { type Gpu, GpusUnknown, listGpus } from '../../gpus/list.ts';
import type { Check } from './checks.ts';

const execute = promisify(execFile);

/** What the installed torch says of CUDA. */
export interface TorchCuda {
  version: string;
  /** The release that it is built for; null for a build without CUDA. */
  cuda: string | null;
  /** GPUs that it can use. */
  seen: number;
  /** Why it can use none, in its own words; null where it can, or does not say. */
  error: string | null;
}

const PROBE = `
import json, torch
error = None
if torch.version.cuda and not torch.cuda.is_available():
    try:
        torch.cuda.init()
    except Exception as raised:
        error = " ".join(str(raised).split())[:200]
seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "seen": seen, "error": error}))`;

// Importing a CUDA build of torch from a shared disk takes up to a minute the first time.
const PROBE_MS = 120_000;

/** The GPUs of this machine, and whether driver and torch fit together. */
export async function checkGpus(config: Config): Promise<Check[]> {
  try {
    const gpus = await listGpus({ visible: config.cuda_visible_devices, injected: config.gpus });
    // GPUs that only stand in for real ones have no driver.
    if (gpus.length === 0 || config.gpus !== null) return [listed(gpus)];
    const [driver, torch, locked] = await Promise.all([driverVersion(), askTorch(config), lockedCuda(config)]);
    return [listed(gpus), ...gpuChecks({ gpus: gpus.length, driver, torch, locked })];
  } catch (error) {
    if (!(error instanceof GpusUnknown)) throw error;
    return [{ name: 'GPUs', ok: false, needed: false, found: error.message, fix: null }];
  }
}

function listed(gpus: Gpu[]): Check {
  const list = gpus.map(
    ({ index, name, memory_mib, used_by }) =>
      `${index} ${name} ${Math.round(memory_mib / 1024)} GiB${used_by ? `, used by ${used_by}` : ''}`,
  );
  const found =
    list.length === 0
      ? 'none: models run on the CPU'
      : `${list.join('; ')} (a run uses those that its spec's placement asks for)`;
  return { name: 'GPUs', ok: true, needed: false, found, fix: null };
}

/** What to say of driver and torch on a machine with `gpus` GPUs. */
export function gpuChecks({
  gpus,
  driver,
  torch,
  locked,
}: {
  gpus: number;
  /** Version that nvidia-smi gives; null where it gives none. */
  driver: string | null;
  /** null: not installed, or it cannot be imported. */
  torch: TorchCuda | null;
  /** The release of CUDA that set-up installs; null where the lock file has none. */
  locked: string | null;
}): Check[] {
  const cuda = torch === null ? locked : torch.cuda;
  const checks: Check[] = [];
  const least = cuda === null ? null : leastDriver(cuda);
  if (least !== null) {
    const version = driver ?? 'of an unknown version';
    // A compatibility package of CUDA lets an older driver do: what torch can use is the better witness.
    const ok = Number.parseInt(driver ?? '', 10) >= least || (torch?.seen ?? 0) > 0;
    const whose = torch === null ? 'CUDA' : `torch ${torch.version} for CUDA`;
    const found = `${version}; ${whose} ${cuda} needs ${least} or newer`;
    checks.push({ name: 'GPU driver', ok, needed: true, found, fix: `install NVIDIA's driver ${least} or newer` });
  }
  if (torch !== null)
    checks.push(
      torchCheck(
        torch,
        gpus,
        checks.every(({ ok }) => ok),
      ),
    );
  return checks;
}

function torchCheck({ version, cuda, seen, error }: TorchCuda, gpus: number, driverFits: boolean): Check {
  const name = 'torch on GPUs';
  if (cuda === null) {
    // It may be on purpose: GAVEL_ENGINE=cpu.
    const found = `torch ${version} is built without CUDA: it uses none of the ${gpus} GPUs`;
    return { name, ok: false, needed: false, found, fix: 'GAVEL_ENGINE=cuda npm run setup' };
  }
  const said = error === null ? '' : `: ${error}`;
  return {
    name,
    ok: seen >= gpus,
    needed: true,
    found: `torch ${version} for CUDA ${cuda} sees ${seen} of the ${gpus} GPUs that nvidia-smi lists${said}`,
    fix: driverFits
      ? 'in a container, start it with --gpus all and NVIDIA_DRIVER_CAPABILITIES=compute,utility; else restart the driver'
      : null,
  };
}

async function askTorch(config: Config): Promise<TorchCuda | null> {
  const env = { ...process.env, ...pythonEnv(config, true) };
  try {
    const { stdout } = await execute(config.python, ['-c', PROBE], { env, timeout: PROBE_MS });
    return JSON.parse(stdout);
  } catch {
    // The check of Python's packages says that it is missing.
    return null;
  }
}

async function lockedCuda({ package_root }: Config): Promise<string | null> {
  const lock = await readFile(join(package_root, 'python/requirements-cuda.lock'), 'utf8').catch(() => '');
  return cudaOfLock(lock);
}
