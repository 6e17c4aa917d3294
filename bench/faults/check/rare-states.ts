import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { EpochRecord } from '../../../src/contracts/stage.ts';
import type { Sometimes } from '../observe/event-log.ts';
import { wholeLines } from './read-ledger.ts';
import { placeOf, type RunDirectory } from './read-run-directory.ts';

/** What of the "sometimes" the disk shows after the fact: writes of a superseded attempt, which count for nothing. */
export function reachedOnDisk(run: RunDirectory): { what: Sometimes; detail: string }[] {
  const found: string[] = [];
  for (const stage of ['grpo', 'sft']) {
    for (const epoch of run.epochs(stage)) {
      const record = run.record(stage, epoch);
      if (record) found.push(...voidedLines(run, record), ...voidedFiles(run, stage, record));
    }
  }
  return found.map((detail) => ({ what: 'voided zombie write', detail }));
}

/** Whole lines: the torn end of a killed gateway is no write of a zombie's. */
function voidedLines(run: RunDirectory, record: EpochRecord): string[] {
  return Object.entries(record.accepted_segments).flatMap(([name, accepted]) => {
    const path = join(run.dir, 'traces', name);
    const bytes = existsSync(path) ? wholeLines(readFileSync(path)) : 0;
    return bytes > accepted ? [`${name}: ${bytes - accepted} bytes after epoch ${record.epoch} began`] : [];
  });
}

function voidedFiles(run: RunDirectory, stage: string, record: EpochRecord): string[] {
  const before = record.epoch - 1;
  const file = lateFile(run.epoch(stage, before), Date.parse(record.started_at));
  const written = file ? [`${file} was written after epoch ${record.epoch} began`] : [];
  const head = run.head(stage, before);
  const committed = head !== null && isLate(run, stage, head.checkpoint, record);
  return committed ? [...written, `${head.checkpoint} was committed after epoch ${record.epoch} began`] : written;
}

/** A file of a checkpoint that an epoch went on writing, in its own place, after the next one had begun. */
function lateFile(dir: string, began: number): string | null {
  for (const place of ['work', 'trainer']) {
    const folder = join(dir, place);
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      const found = statSync(path);
      // A moment more than the clocks and the record's own writing may differ by.
      if (found.isFile() && found.mtimeMs > began + 100) return path.slice(path.indexOf('/epochs/') + 1);
    }
  }
  return null;
}

function isLate(run: RunDirectory, stage: string, checkpoint: string, next: EpochRecord): boolean {
  const step = placeOf(checkpoint)?.step ?? 0;
  const resumed = next.starts_from === null ? -1 : (placeOf(next.starts_from)?.step ?? 0);
  const created = run.manifest(stage, checkpoint)?.created_at;
  return step > resumed && created !== undefined && created > next.started_at;
}
