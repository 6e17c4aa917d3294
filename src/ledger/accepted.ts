import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EpochRecord } from '../contracts/stage.ts';
import { StageName } from '../contracts/trace.ts';
import { completeBytes, orNull } from '../run-directory/files.ts';
import { parseSegmentName } from '../run-directory/paths.ts';

/** A file of the ledger, and how many of its first bytes count. */
export interface Segment {
  path: string;
  stage: StageName;
  /** null: written by a stage that has no epochs. */
  epoch: number | null;
  n: number;
  /** Bytes that count: whole lines, and of a replaced epoch only those that its successor found. */
  accepted: number;
}

export const tracesFolder = (run_dir: string): string => join(run_dir, 'traces');

/** All segments of a run, oldest first within a stage, with what counts of each by the newest epoch of its stage. */
export async function listSegments(run_dir: string): Promise<Segment[]> {
  const folder = tracesFolder(run_dir);
  const rules = new Map<string, Rule>();
  const segments: Segment[] = [];
  for (const name of await namesIn(folder)) {
    const parsed = parseSegmentName(name);
    const stage = StageName.safeParse(parsed?.stage);
    if (!parsed || !stage.success) continue;
    const rule = rules.get(stage.data) ?? (await ruleOf(run_dir, stage.data));
    rules.set(stage.data, rule);
    const path = join(folder, name);
    const { epoch, number: n } = parsed;
    segments.push({ path, stage: stage.data, epoch, n, accepted: await acceptedOf(path, name, epoch, rule) });
  }
  return segments.sort((a, b) => a.stage.localeCompare(b.stage) || (a.epoch ?? 0) - (b.epoch ?? 0) || a.n - b.n);
}

type Rule = Pick<EpochRecord, 'epoch' | 'accepted_segments'> | null;

async function acceptedOf(path: string, name: string, epoch: number | null, rule: Rule): Promise<number> {
  // A torn last line was never answered with a verdict, whoever wrote it.
  const whole = await completeBytes(path);
  if (rule === null || epoch === null || epoch === rule.epoch) return whole;
  return epoch > rule.epoch ? 0 : Math.min(whole, rule.accepted_segments[name] ?? 0);
}

/** The newest epoch of a stage that has a record: one whose taker died before it wrote one has made nothing void. */
async function ruleOf(run_dir: string, stage: StageName): Promise<Rule> {
  const folder = join(run_dir, stage, 'epochs');
  const numbers = (await namesIn(folder)).filter((name) => /^\d{6,}$/.test(name)).sort((a, b) => Number(b) - Number(a));
  for (const number of numbers) {
    const text = await readFile(join(folder, number, 'epoch.json'), 'utf8').catch(orNull);
    if (text === null) continue;
    const parsed = EpochRecord.safeParse(jsonOrNull(text));
    if (parsed.success) return parsed.data;
  }
  return null;
}

/** A half-written record is as good as none. */
function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const namesIn = async (folder: string): Promise<string[]> => ((await readdir(folder).catch(orNull)) ?? []).sort();
