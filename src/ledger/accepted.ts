import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { EpochRecord, LedgerSegment } from '../contracts/stage.ts';
import { StageName } from '../contracts/trace.ts';
import { newestEpoch, newestRecord } from '../run-directory/epoch-records.ts';
import { completeBytes, orNull } from '../run-directory/files.ts';
import { parseSegmentName, pathsIn, type RunFolder } from '../run-directory/paths.ts';
import { readSealIfWhole } from './seal.ts';
import type { Segment } from './segment.ts';

/** The one rule that says which bytes of the ledger count. All other code, Python included, gets its result. */

/** What decides for a stage: its newest epoch, and the newest record of an epoch that can be read. */
export interface Rule {
  newest: number | null;
  record: EpochRecord | null;
}

/** The rule of a stage, as it was before any epoch after `last` was taken. */
export async function ruleOf(paths: RunFolder, stage: string, last = Number.POSITIVE_INFINITY): Promise<Rule> {
  const found = await newestEpoch(paths, stage);
  const newest = found === null ? null : Math.min(found, last);
  return { newest, record: newest === null ? null : await newestRecord(paths, stage, newest) };
}

/**
 * How many of the first bytes of a segment count; Infinity: all of its complete lines.
 *
 * For epochs before the record's, what the record accepted. For an epoch that no attempt took, nothing. An epoch whose record is
 * missing (its taker died) or damaged has made nothing void by it; what its taker sealed then is the end of an older segment, since a
 * superseded writer may have gone on.
 */
export async function acceptedBytes(
  { newest, record }: Rule,
  { path, name, epoch }: Pick<Segment, 'path' | 'name' | 'epoch'>,
): Promise<number> {
  if (record && epoch < record.epoch) return record.accepted_segments[name] ?? 0;
  if (newest === null || epoch === newest) return Number.POSITIVE_INFINITY;
  if (epoch > newest) return 0;
  return (await readSealIfWhole(path))?.bytes ?? Number.POSITIVE_INFINITY;
}

/** All segments of a run that are there, oldest first within a stage, with what counts of each. */
export async function acceptedSegments(run_dir: string): Promise<Segment[]> {
  const paths = pathsIn(run_dir);
  const rules = new Map<string, Rule>();
  const segments: Segment[] = [];
  for (const name of (await readdir(paths.traces).catch(orNull)) ?? []) {
    const parsed = parseSegmentName(name);
    const stage = StageName.safeParse(parsed?.stage);
    if (!parsed || !stage.success) continue;
    const rule = rules.get(stage.data) ?? (await ruleOf(paths, stage.data));
    rules.set(stage.data, rule);
    const { epoch, number: n } = parsed;
    const place = { path: join(paths.traces, name), name, epoch };
    // The verdict of a torn last line was never returned, so the line does not count.
    const accepted = Math.min(await completeBytes(place.path), await acceptedBytes(rule, place));
    segments.push({ ...place, stage: stage.data, n, accepted });
  }
  return segments.sort((a, b) => a.stage.localeCompare(b.stage) || a.epoch - b.epoch || a.n - b.n);
}

/** What counts of these segments, in the words of a request: how Python is given the result of the rule. */
export function whatCounts(run_dir: string, segments: Segment[]): LedgerSegment[] {
  return segments
    .filter(({ accepted }) => accepted > 0)
    .map(({ path, stage, accepted }) => ({ path: relative(run_dir, path), stage, bytes: accepted }));
}
