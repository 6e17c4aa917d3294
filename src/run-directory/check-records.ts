import { type Quarantined, quarantine } from './checkpoints.ts';
import { epochNumbers, lookAtRecord, writeDigest } from './epoch-records.ts';
import type { RunPaths } from './paths.ts';

/** What a check of the records of older epochs found. */
export interface CheckedRecords {
  /** Damaged records, which count as never written. */
  quarantined: Quarantined[];
  /** Records that count although no digest says that they are as they were written. */
  undigested: Quarantined[];
}

/**
 * Checks each `epoch.json` of the stages `names` but for that of `taken` against the digest beside it. A damaged one goes to quarantine. One
 * without a digest (an older version of gavel wrote none, or it was lost) gets one, so that each is found once. `fence` throws where another
 * taker has come, and is asked before anything changes.
 */
export async function checkRecords(
  paths: RunPaths,
  names: readonly string[],
  taken: { stage: string; epoch: number },
  fence: () => Promise<void>,
): Promise<CheckedRecords> {
  const found: CheckedRecords = { quarantined: [], undigested: [] };
  for (const stage of names) {
    const epochs = (await epochNumbers(paths.stage(stage))).sort((a, b) => a - b);
    for (const epoch of epochs.filter((each) => stage !== taken.stage || each < taken.epoch)) {
      const { damage, digest, missing_digest } = await lookAtRecord(paths, stage, epoch);
      const { record } = paths.stage(stage).epoch(epoch);
      const name = `${stage} epoch ${epoch}: epoch.json`;
      if (damage !== null) {
        await fence();
        const reason = `${damage}; it counts as never written: older records and the seals of segments say what counts`;
        const moved_to = await quarantine(record, reason, paths.quarantine);
        found.quarantined.push({ name, reason, moved_to });
      } else if (missing_digest) {
        await fence();
        await writeDigest(paths, stage, epoch, digest);
        const reason =
          'expected its digest in epoch.sha256 beside it, found no such file; it counts as it is, and has one now';
        found.undigested.push({ name, reason, moved_to: null });
      }
    }
  }
  return found;
}
