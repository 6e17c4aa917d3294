import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { z } from 'zod';
import { Audit, AuditOverride } from '../contracts/audit.ts';
import { Rubric } from '../contracts/rubric.ts';
import { Spec } from '../contracts/spec/spec.ts';
import { MetricLine, StageResult } from '../contracts/stage.ts';
import { readAlarms } from '../run-directory/alarms.ts';
import { storedSpec } from '../run-directory/create-run.ts';
import { readableLines } from '../run-directory/files.ts';
import { readInterruptions } from '../run-directory/interruptions.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import type { ReportData, ReportExtras, SetAside } from './report-data.ts';

const reasonSuffix = '.reason.json';

/** Reads what a run directory holds for its report. A missing or broken part is left null and said in `problems`. */
export async function readRun(paths: RunPaths, extras: ReportExtras): Promise<ReportData> {
  const problems: string[] = [];
  const read = <T>(path: string, schema: z.ZodType<T>) => readContract(path, schema, problems);
  const names = ['grpo', 'sft', 'audit'];
  const stages = await Promise.all(names.map((name) => read(paths.stage(name).result, StageResult)));
  const spec = await read(paths.spec, Spec);
  return {
    ...extras,
    interruptions: await readInterruptions(paths.report.interruptions, problems),
    alarms: await readAlarms(paths.report.alarms, problems),
    run: paths.run,
    spec,
    spec_digest: spec === null ? null : ((await storedSpec(paths))?.digest ?? null),
    rubric: await read(paths.rubric, Rubric),
    audit: await read(paths.report.audit, Audit),
    metrics: newestLines(await readText(paths.report.metrics), problems),
    stages: stages.filter((stage) => stage !== null),
    quarantine: await readQuarantine(paths.quarantine),
    overrides: await readOverrides(paths.report.overrides, problems),
    problems,
  };
}

async function readQuarantine(folder: string): Promise<SetAside[]> {
  const names = await readdir(folder).catch(() => []);
  const reasonOf = async (name: string) => {
    const text = await readText(join(folder, `${name}${reasonSuffix}`));
    return /"reason"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text ?? '')?.[1] ?? null;
  };
  const kept = names.filter((name) => !name.endsWith(reasonSuffix)).sort();
  return Promise.all(
    kept.map(async (name) => {
      const reason = await reasonOf(name);
      return { name, reason: reason === null ? null : (JSON.parse(reason) as string) };
    }),
  );
}

/** Each start of `gavel serve` with --override-audit. */
async function readOverrides(path: string, problems: string[]): Promise<AuditOverride[]> {
  const { lines, unread } = readableLines((await readText(path)) ?? '', AuditOverride);
  if (unread > 0) problems.push(`${unread} line(s) of report/overrides.jsonl could not be read and were left out.`);
  return lines;
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function readContract<T>(path: string, schema: z.ZodType<T>, problems: string[]) {
  const text = await readText(path);
  const name = basename(path);
  if (text === null) return null;
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    problems.push(
      `Expected ${name} to meet its contract, got at ${issue?.path.join('.') || 'its top'}: ${issue?.message}.`,
    );
  } catch (error) {
    problems.push(`Expected ${name} to be JSON, got: ${(error as Error).message}.`);
  }
  return null;
}

/** Of two lines with the same stage and step the newer epoch counts: the older one's step was done again. */
export function newestLines(text: string | null, problems: string[] = []): MetricLine[] {
  const newest = new Map<string, MetricLine>();
  const { lines, unread } = readableLines(text ?? '', MetricLine);
  for (const parsed of lines) {
    const key = `${parsed.stage}:${parsed.step}`;
    if ((newest.get(key)?.epoch ?? 0) <= parsed.epoch) newest.set(key, parsed);
  }
  if (unread > 0) problems.push(`${unread} line(s) of report/metrics.jsonl could not be read and were left out.`);
  return [...newest.values()].sort((a, b) => a.step - b.step);
}
