import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type EpochRecord, Head, Manifest } from '../../../src/contracts/stage.ts';
import { completeBytes } from '../../../src/run-directory/files.ts';
import { parseCheckpointName, type RunPaths } from '../../../src/run-directory/paths.ts';
import type { Sometimes } from '../observe/event-log.ts';
import { list, read, recordOf } from './read-run-directory.ts';

/** What of the "sometimes" the disk shows after the fact. */
export async function reachedOnDisk(paths: RunPaths): Promise<{ what: Sometimes; detail: string }[]> {
  const found: { what: Sometimes; detail: string }[] = [];
  for (const stage of ['grpo', 'sft']) {
    for (const number of list(paths.stage(stage).epochs).map(Number)) {
      const record = recordOf(paths, stage, number);
      for (const [name, accepted] of Object.entries(record?.accepted_segments ?? {})) {
        // Whole lines: the torn end of a killed gateway is no write of a zombie's.
        const bytes = await completeBytes(join(paths.traces, name));
        if (bytes > accepted) {
          found.push({
            what: 'voided zombie write',
            detail: `${name}: ${bytes - accepted} bytes after epoch ${number} began`,
          });
        }
      }
      const late_file =
        record && lateFile(join(paths.stage(stage).epoch(number - 1).dir), Date.parse(record.started_at));
      if (late_file) {
        found.push({ what: 'voided zombie write', detail: `${late_file} was written after epoch ${number} began` });
      }
      const before = recordOf(paths, stage, number - 1);
      const head = read(paths.stage(stage).epoch(number - 1).head);
      const late = head === null ? null : Head.safeParse(JSON.parse(head)).data;
      if (before && record && late && isLate(paths, stage, late.checkpoint, record)) {
        found.push({
          what: 'voided zombie write',
          detail: `${late.checkpoint} was committed after epoch ${number} began`,
        });
      }
    }
  }
  return found;
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

function isLate(paths: RunPaths, stage: string, checkpoint: string, next: EpochRecord): boolean {
  const step = parseCheckpointName(checkpoint)?.step ?? 0;
  const resumed = next.starts_from === null ? -1 : (parseCheckpointName(next.starts_from)?.step ?? 0);
  const text = read(join(paths.stage(stage).checkpoint(checkpoint), 'manifest.json'));
  const created = text === null ? null : Manifest.safeParse(JSON.parse(text)).data?.created_at;
  return step > resumed && created !== null && created !== undefined && created > next.started_at;
}
