import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { FitMachine } from '../contracts/fit.ts';
import { type Gpu, GpusUnknown, listGpus } from '../gpus/list.ts';

const MIB = 2 ** 20;

/** The memory of this worker's machine, for an estimate to be held against. Where the driver fails, its GPUs are unknown. */
export async function machineOf(
  config: Pick<Config, 'node' | 'gpus' | 'cuda_visible_devices'>,
  system = '/',
): Promise<FitMachine> {
  const gpus = await gpusOf(config);
  return {
    node: config.node,
    memory_bytes: Math.min(totalmem(), ...groupLimits(system)),
    gpu_bytes: gpus.map(({ memory_mib }) => memory_mib * MIB),
  };
}

/** What nvidia-smi calls the first of this worker's GPUs; null where there is none. */
export async function gpuNameOf(config: Pick<Config, 'gpus' | 'cuda_visible_devices'>): Promise<string | null> {
  return (await gpusOf(config))[0]?.name ?? null;
}

function gpusOf(config: Pick<Config, 'gpus' | 'cuda_visible_devices'>): Promise<Gpu[]> {
  return listGpus({ injected: config.gpus, visible: config.cuda_visible_devices }).catch((error: unknown) => {
    if (error instanceof GpusUnknown) return [];
    throw error;
  });
}

/** The memory limits of the control groups that hold this process, innermost first; "max" (v2) and a huge number (v1) mean none. */
function groupLimits(system: string): number[] {
  const fs = join(system, 'sys/fs/cgroup');
  const lines = read(join(system, 'proc/self/cgroup')).split('\n');
  const files = lines.flatMap((line) => {
    const [, controllers, path] = line.split(':', 3);
    if (path === undefined) return [];
    const parents = path.split('/').map((_, at, parts) => parts.slice(0, parts.length - at).join('/'));
    if (controllers === '') return parents.map((group) => join(fs, group, 'memory.max'));
    if (!controllers?.split(',').includes('memory')) return [];
    return parents.map((group) => join(fs, 'memory', group, 'memory.limit_in_bytes'));
  });
  return files.map((file) => Number.parseInt(read(file), 10)).filter((limit) => limit > 0);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
