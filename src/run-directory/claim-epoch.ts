import { mkdir } from 'node:fs/promises';
import { EpochSuperseded, epochNumbers, newestOf } from './epoch-records.ts';
import { fsyncFolder } from './files.ts';
import type { RunFolder, StagePaths } from './paths.ts';

/** Takes the next free number of a stage by one exclusive mkdir: no two takers ever share an epoch, whatever they write later. */
export async function claimEpoch(stage: StagePaths): Promise<number> {
  await mkdir(stage.epochs, { recursive: true });
  let epoch = newestOf(await epochNumbers(stage)) ?? 0;
  do epoch += 1;
  while (!(await mkdirExclusive(stage.epoch(epoch).dir)));
  await fsyncFolder(stage.epochs);
  return epoch;
}

/**
 * Takes the number after `newest`, or none. What its taker found out about the stage is from the time when `newest` was the newest: a
 * taker that stalled since would make void what another one has published meanwhile.
 * Throws EpochSuperseded where the number is taken.
 */
export async function claimEpochAfter(paths: RunFolder, name: string, newest: number | null): Promise<number> {
  const stage = paths.stage(name);
  await mkdir(stage.epochs, { recursive: true });
  const epoch = (newest ?? 0) + 1;
  if (!(await mkdirExclusive(stage.epoch(epoch).dir))) {
    throw new EpochSuperseded(
      `Expected to take epoch ${epoch} of ${name} in ${paths.dir}, found it taken: another attempt was first.`,
    );
  }
  await fsyncFolder(stage.epochs);
  return epoch;
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
