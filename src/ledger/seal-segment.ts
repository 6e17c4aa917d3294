import { existsSync } from 'node:fs';
import { writeAtomic, writeExclusive } from '../run-directory/files.ts';
import { sealPath } from '../run-directory/paths.ts';
import { writeIndex } from './index-file.ts';
import type { Seal } from './seal.ts';

/**
 * Writes index and seal of a segment beside it, the index first, because the seal holds its digest. A seal that is there stays, and with it
 * what it covers; with `replace` it is replaced.
 */
export async function sealSegment(
  path: string,
  { bytes, sha256 }: Pick<Seal, 'bytes' | 'sha256'>,
  records: readonly Buffer[],
  { replace = false }: { replace?: boolean } = {},
): Promise<void> {
  if (!replace && existsSync(sealPath(path))) return;
  const seal: Seal = { bytes, sha256, keys: records.length, index_sha256: await writeIndex(path, records) };
  await (replace ? writeAtomic(sealPath(path), seal) : writeExclusive(sealPath(path), seal));
}
