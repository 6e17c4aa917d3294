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
  const text = `${JSON.stringify(record, null, 2)}\n`;
  await writeDigest(paths, record.stage, record.epoch, sha256(text));
  await writeAtomic(paths.stage(record.stage).epoch(record.epoch).record, text);
}

/** Writes `epoch.sha256`. */
export const writeDigest = (paths: RunFolder, stage: string, epoch: number, digest: string): Promise<void> =>
  writeAtomic(paths.stage(stage).epoch(epoch).record_sha256, `${digest}\n`);

/** `epoch.json` of an epoch as it is on the disk. */
interface RecordOnDisk {
  /** null: it is not there, or damaged. */
  record: EpochRecord | null;
  /** What was expected and found, where it is damaged. */
  damage: string | null;
  /** Of its bytes. */
  digest: string;
  /** It is there, and no `epoch.sha256`. */
  missing_digest: boolean;
}

/**
 * Reads `epoch.json` of one epoch. A flipped digit would void traces or bring void ones back without a word, so it counts only with the
 * digest that was written with it. One that never had a digest counts as it is: without it, everything that it made void would come back.
 */
export async function lookAtRecord(paths: RunFolder, stage: string, epoch: number): Promise<RecordOnDisk> {
  const { record: path, record_sha256 } = paths.stage(stage).epoch(epoch);
  const found: RecordOnDisk = { record: null, damage: null, digest: '', missing_digest: false };
  const bytes = await readFile(path).catch(orNull);
  if (bytes === null) return found;
  found.digest = sha256(bytes);
  const expected = (await readFile(record_sha256, 'utf8').catch(orNull))?.trim();
  found.missing_digest = expected === undefined;
  if (expected !== undefined && expected !== found.digest) {
    return { ...found, damage: `expected the sha256 that epoch.sha256 says, got ${found.digest}` };
  }
  try {
    return { ...found, record: parseContract(bytes.toString('utf8'), EpochRecord, path) };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    return { ...found, damage: error.message };
  }
}

/** `epoch.json` of one epoch; null where its taker died before it was written, or it is damaged. */
export const readEpoch = async (paths: RunFolder, stage: string, epoch: number): Promise<EpochRecord | null> =>
  (await lookAtRecord(paths, stage, epoch)).record;

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
