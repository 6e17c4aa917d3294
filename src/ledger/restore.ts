import { createHash, randomUUID } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Trace } from '../contracts/trace.ts';
import { quarantine } from '../run-directory/checkpoints.ts';
import { fsyncFolder } from '../run-directory/files.ts';
import { recordOf } from './index-record.ts';
import { openEnvelope, parseLine, renumbered } from './line.ts';
import { sealSegment } from './seal-segment.ts';
import { segmentLines } from './segment.ts';

/**
 * Writes the intact lines among the first `accepted` bytes of a segment back under its name, renumbered and sealed. The original
 * goes to quarantine, and a writer that still has it open goes on writing there. Returns where it is.
 */
export async function restoreSegment(path: string, accepted: number, reason: string, quarantineFolder: string) {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  const hash = createHash('sha256');
  const records: Buffer[] = [];
  let length = 0;
  try {
    const file = await open(temporary, 'wx');
    try {
      for await (const lines of segmentLines({ path, accepted })) {
        const intact: Buffer[] = [];
        for (const { bytes } of lines) {
          const envelope = openEnvelope(bytes);
          if (typeof envelope === 'string') continue;
          const seq = records.length + 1;
          const line = renumbered(bytes, envelope, seq);
          const trace = parseLine<Trace>({ bytes: line.subarray(0, -1), offset: length, number: seq }, path);
          records.push(recordOf(trace, length, line.length - 1));
          intact.push(line);
          length += line.length;
        }
        const batch = Buffer.concat(intact);
        await file.appendFile(batch);
        hash.update(batch);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const moved_to = await quarantine(path, reason, quarantineFolder, { replaced: true });
    await rename(temporary, path);
    await fsyncFolder(dirname(path));
    await sealSegment(path, { bytes: length, sha256: hash.digest('hex') }, records, { replace: true });
    return moved_to;
  } finally {
    await rm(temporary, { force: true });
  }
}
