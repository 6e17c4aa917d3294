import { mkdir, readdir } from 'node:fs/promises';
import { fsyncFolder, orNull } from './files.ts';
import type { StagePaths } from './paths.ts';

/** Takes the next free number of a stage by one exclusive mkdir: no two takers ever share an epoch, whatever they write later. */
export async function claimEpoch(stage: StagePaths): Promise<number> {
  await mkdir(stage.epochs, { recursive: true });
  let epoch = Math.max(0, ...(await epochNumbers(stage)));
  do epoch += 1;
  while (!(await mkdirExclusive(stage.epoch(epoch).dir)));
  await fsyncFolder(stage.epochs);
  return epoch;
}

/** Numbers of all epochs that were ever taken, in no order. */
export async function epochNumbers({ epochs }: StagePaths): Promise<number[]> {
  const names = (await readdir(epochs).catch(orNull)) ?? [];
  return names.filter((name) => /^\d{6,}$/.test(name)).map(Number);
}

async function mkdirExclusive(path: string) {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
