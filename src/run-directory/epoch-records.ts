import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { EpochRecord, Head } from '../contracts/stage.ts';
import { ContractError, orNull, parseContract, readContractIfAny, writeAtomic } from './files.ts';
import type { RunFolder, StagePaths } from './paths.ts';

/** Another attempt took a newer epoch, so anything that the older one does is void. */
export class EpochSuperseded extends Error {
  override name = 'EpochSuperseded';
}

/** The newest epoch of a stage, the only one that counts; null where none was taken. */
export const newestEpoch = async (paths: RunFolder, stage: string): Promise<number | null> =>
  newestOf(await epochNumbers(paths.stage(stage)));

export const newestOf = (numbers: number[]): number | null => (numbers.length === 0 ? null : Math.max(...numbers));

/** Numbers of all epochs that were ever taken, in no order. */
export async function epochNumbers({ epochs }: StagePaths): Promise<number[]> {
  const names = (await readdir(epochs).catch(orNull)) ?? [];
  return names.filter((name) => /^\d{6,}$/.test(name)).map(Number);
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Writes `epoch.json`, and its digest before it: a reader that finds the record finds the digest too. */
export async function writeEpoch(paths: RunFolder, record: EpochRecord): Promise<void> {
  const epoch = paths.stage(record.stage).epoch(record.epoch);
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await writeAtomic(epoch.record_sha256, `${sha256(text)}\n`);
  await writeAtomic(epoch.record, text);
}

/**
 * `epoch.json` of one epoch; null where its taker died before it was written, or it is damaged. A flipped digit would void traces or bring
 * void ones back without a word, so it counts only with the digest that was written with it.
 */
export async function readEpoch(paths: RunFolder, stage: string, epoch: number): Promise<EpochRecord | null> {
  const { record, record_sha256 } = paths.stage(stage).epoch(epoch);
  const bytes = await readFile(record).catch(orNull);
  if (bytes === null) return null;
  const expected = (await readFile(record_sha256, 'utf8').catch(orNull))?.trim();
  if (sha256(bytes) !== expected) return null;
  try {
    return parseContract(bytes.toString('utf8'), EpochRecord, record);
  } catch (error) {
    return damagedIsNull(error);
  }
}

/** The newest readable record among epochs up to `epoch`; null where there is none. */
export async function newestRecord(paths: RunFolder, stage: string, epoch: number): Promise<EpochRecord | null> {
  for (let at = epoch; at > 0; at -= 1) {
    const record = await readEpoch(paths, stage, at);
    if (record) return record;
  }
  return null;
}

/** HEAD of one epoch; null before its first commit. */
export const readHead = (paths: RunFolder, stage: string, epoch: number): Promise<Head | null> =>
  readContractIfAny(paths.stage(stage).epoch(epoch).head, Head).catch(damagedIsNull);

/** For `.catch`: null where the file is there but is not what its contract says, the error otherwise. */
export function damagedIsNull(error: unknown): null {
  if (error instanceof ContractError) return null;
  throw error;
}

/** Throws EpochSuperseded unless `epoch` is the newest of its stage. */
export async function assertNewest(paths: RunFolder, stage: string, epoch: number) {
  const newest = await newestEpoch(paths, stage);
  if (newest === epoch) return;
  throw new EpochSuperseded(
    `Expected epoch ${epoch} to be the newest of ${stage} in ${paths.dir}, got ${newest}: another attempt has taken over.`,
  );
}
