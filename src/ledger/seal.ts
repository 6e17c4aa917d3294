import { z } from 'zod';
import { readContractIfAny } from '../run-directory/files.ts';
import { sealPath } from '../run-directory/paths.ts';

/** `<segment>.seal.json`, written when a segment is closed or its successor finds it unsealed. */
export const Seal = z.strictObject({
  bytes: z
    .int()
    .min(0)
    .describe('Bytes from the start that it speaks of; more may follow, which it does not vouch for.'),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  keys: z.int().min(0).describe('Lines among these bytes.'),
});
export type Seal = z.output<typeof Seal>;

/** The seal of a segment; null where it has none. Throws ContractError where it is damaged. */
export const readSeal = (segmentPath: string): Promise<Seal | null> => readContractIfAny(sealPath(segmentPath), Seal);
