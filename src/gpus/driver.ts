import { askNvidiaSmi } from './list.ts';

/**
 * Oldest driver branch on which programs built for a major release of CUDA run: table 1 of
 * https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html (CUDA 11.x >= 450, 12.x >= 525, 13.x >= 580).
 * All minor versions of a release have the same one. Newer drivers run older releases.
 */
const LEAST_DRIVER: Record<number, number> = { 11: 450, 12: 525, 13: 580 };

/** Oldest driver branch for a version of CUDA, say 580 for "13.0"; null for a release that the table does not have. */
export const leastDriver = (cuda: string): number | null => LEAST_DRIVER[Number.parseInt(cuda, 10)] ?? null;

/** Version of the driver, say "580.65.06"; null where there is no nvidia-smi. Throws GpusUnknown where it fails. */
export async function driverVersion(query = askNvidiaSmi): Promise<string | null> {
  // One line for each GPU, all the same.
  const [first = ''] = (await query('--query-gpu=driver_version')).trim().split('\n');
  return first.trim() || null;
}

/** Version of CUDA that a lock file installs beside torch, say "13.0"; null where it installs none. */
export function cudaOfLock(lock: string): string | null {
  return /^nvidia-cuda-runtime(?:-cu\d+)?==(\d+\.\d+)/m.exec(lock)?.[1] ?? null;
}
