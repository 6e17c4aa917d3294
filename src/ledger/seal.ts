import { z } from 'zod';
import { ContractError, readContractIfAny } from '../run-directory/files.ts';
import { sealPath } from '../run-directory/paths.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** `<segment>.seal.json`, written when a segment is closed or its successor finds it unsealed. */
export const Seal = z.strictObject({
  bytes: z.int().min(0).describe('Bytes from the start that it covers; more may follow, which it does not cover.'),
  sha256: Sha256,
  keys: z.int().min(0).describe('Lines among these bytes.'),
  index_sha256: Sha256.describe('Of `<segment>.index`, which says where each of them is.'),
});
export type Seal = z.output<typeof Seal>;

/** The seal of a segment; null where it has none. Throws ContractError where it is damaged. */
export const readSeal = (segmentPath: string): Promise<Seal | null> => readContractIfAny(sealPath(segmentPath), Seal);

/** The seal of a segment; null where it has none that can be read. */
export const readSealIfWhole = (segmentPath: string): Promise<Seal | null> =>
  readSeal(segmentPath).catch((error) => {
    if (error instanceof ContractError) return null;
    throw error;
  });
