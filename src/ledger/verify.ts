import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StageName } from '../contracts/trace.ts';
import { type Quarantined, quarantine } from '../run-directory/checkpoints.ts';
import { assertNewest } from '../run-directory/epoch-records.ts';
import { ContractError, fsyncFolder, orNull, writeAtomic, writeExclusive } from '../run-directory/files.ts';
import { parseSegmentName, type RunPaths, sealPath } from '../run-directory/paths.ts';
import { acceptedBytes, type Rule, ruleOf } from './accepted.ts';
import { restoreSegment } from './restore.ts';
import { type Scan, scanSegment } from './scan.ts';
import { readSeal, type Seal } from './seal.ts';
import type { Segment } from './segment.ts';

/**
 * Checks every line that counts of the older segments of stage `name`, and of the stages that are done, against its checksum, its
 * number, its seal and the length that was accepted. A damaged segment goes to quarantine and its intact lines stay under its name,
 * sealed; one that nobody sealed is sealed. Called by whoever has taken `epoch`. Returns what was found, with how many traces are lost.
 * Throws EpochSuperseded where another taker has come, before it changes anything more.
 */
export async function verifyLedger(paths: RunPaths, name: StageName, epoch: number): Promise<Quarantined[]> {
  const found: Quarantined[] = [];
  const fence = () => assertNewest(paths, name, epoch);
  for (const stage of StageName.options) {
    const own = stage === name;
    if (!own && !(await stat(paths.stage(stage).result).catch(orNull))) continue;
    const rule = await ruleOf(paths, stage, own ? epoch - 1 : undefined);
    for (const segment of await expectedSegments(paths, stage, rule)) {
      const limit = await acceptedBytes(rule, segment);
      if (limit > 0) found.push(...(await verifySegment(paths, segment, limit, fence)));
    }
  }
  return found;
}

type Expected = Pick<Segment, 'path' | 'name' | 'epoch'>;

/** Segments of a stage that are there, have a seal, or were accepted. */
async function expectedSegments(paths: RunPaths, stage: StageName, { record }: Rule): Promise<Expected[]> {
  const there = (await readdir(paths.traces).catch(orNull)) ?? [];
  const accepted = Object.entries(record?.accepted_segments ?? {}).filter(([, bytes]) => bytes > 0);
  const names = new Set([...there.map((name) => name.replace(/\.seal\.json$/, '.jsonl')), ...accepted.map(([n]) => n)]);
  return [...names].sort().flatMap((name) => {
    const parsed = parseSegmentName(name);
    return parsed?.stage === stage ? [{ path: join(paths.traces, name), name, epoch: parsed.epoch }] : [];
  });
}

async function verifySegment(paths: RunPaths, { path, name }: Expected, limit: number, fence: () => Promise<void>) {
  let seal: Seal | null = null;
  let unsealed: string | null = null;
  try {
    seal = await readSeal(path);
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    unsealed = error.message;
  }
  const size = (await stat(path).catch(orNull))?.size;
  if (size === undefined) return [await replaceMissing(path, limit, seal, fence)];

  const counted = Math.min(size, limit);
  const scan = await scanSegment(path, counted, seal);
  const damage = damageIn(scan, limit, seal);
  if (damage !== null) {
    const reason = `${damage}; ${lossOf(scan, limit, seal)}, ${scan.intact} kept`;
    await fence();
    return [{ name, reason, moved_to: await restoreSegment(path, counted, reason, paths.quarantine) }];
  }
  // Bytes beyond the limit are void, so a seal that speaks of them says nothing.
  if (seal && seal.bytes <= limit && !scan.sealed) {
    unsealed = `expected the sha256 of ${name}, whose ${scan.lines} lines are as they were written, got ${seal.sha256}`;
  }
  const fresh: Seal = { bytes: scan.whole, sha256: scan.sha256, keys: scan.lines };
  if (unsealed === null) {
    if (seal === null) await writeExclusive(sealPath(path), fresh);
    return [];
  }
  await fence();
  const reason = `${unsealed}; no trace lost`;
  const moved_to = await quarantine(sealPath(path), reason, paths.quarantine, { replaced: true });
  await writeAtomic(sealPath(path), fresh);
  return [{ name: basename(sealPath(path)), reason, moved_to }];
}

/** What is wrong with the lines of a segment that count; null where nothing is. */
function damageIn(scan: Scan, limit: number, seal: Seal | null): string | null {
  if (scan.first !== null) {
    return `${scan.written - scan.intact} of ${scan.written} lines damaged or missing, the first: ${scan.first}`;
  }
  if (seal && seal.bytes <= limit && scan.whole < seal.bytes) {
    return `expected ${seal.bytes} bytes of complete lines as its seal says, got ${scan.whole}`;
  }
  // A segment that was restored is shorter than a record from before says; its fresh seal tells it from a truncated one.
  const restored = scan.sealed && seal?.bytes === scan.whole;
  if (limit === Number.POSITIVE_INFINITY || scan.whole >= limit || restored) return null;
  return `expected ${limit} bytes of complete lines as epoch.json accepted, got ${scan.whole}`;
}

function lossOf(scan: Scan, limit: number, seal: Seal | null): string {
  const damaged = scan.written - scan.intact;
  if (seal && seal.bytes <= limit) return traces(Math.max(damaged, seal.keys - scan.intact));
  if (limit === Number.POSITIVE_INFINITY || scan.whole >= limit) return traces(damaged);
  return `${damaged > 0 ? `${traces(damaged)}, and ` : ''}the traces of ${limit - scan.whole} bytes lost`;
}

const traces = (count: number) => `${count} ${count === 1 ? 'trace' : 'traces'} lost`;

/** An empty, sealed segment takes the place of one that is gone, so that the loss is reported once and its number stays used. */
async function replaceMissing(path: string, limit: number, seal: Seal | null, fence: () => Promise<void>) {
  await fence();
  const lost = seal ? traces(seal.keys) : `the traces of ${limit} bytes lost`;
  try {
    await (await open(path, 'wx')).close();
    await fsyncFolder(join(path, '..'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const empty: Seal = { bytes: 0, sha256: createHash('sha256').digest('hex'), keys: 0 };
  await writeAtomic(sealPath(path), empty);
  return { name: basename(path), reason: `is not there; ${lost}`, moved_to: null } satisfies Quarantined;
}
