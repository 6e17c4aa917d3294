import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { MetricLine, type Outcome } from '../contracts/stage.ts';
import type { Preemption } from '../contracts/status.ts';
import { readEpoch, readHead } from '../run-directory/epoch-records.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readOutcome } from '../run-directory/result.ts';
import type { TakenEpoch } from './take-epoch.ts';

/** What the earlier attempts at a stage left behind, read from their folders. */

export interface PastEpoch {
  epoch: number;
  /** null: its worker was killed, or is a zombie. */
  outcome: Outcome | null;
  committed: boolean;
  /** Whether its trainer was about to start. */
  requested: boolean;
}

/** All epochs of a stage before `taken`, oldest first. */
export async function readPastEpochs(paths: RunPaths, stage: string, taken: number): Promise<PastEpoch[]> {
  const past: PastEpoch[] = [];
  for (let epoch = 1; epoch < taken; epoch += 1) {
    const outcome = await readOutcome(paths, stage, epoch).catch(() => null);
    // One that cannot be read must not keep the attempts after it from being counted.
    const committed = (await readHead(paths, stage, epoch).catch(() => null)) !== null;
    past.push({ epoch, outcome, committed, requested: existsSync(paths.stage(stage).epoch(epoch).request) });
  }
  return past;
}

/**
 * Those whose end nobody has told of yet, oldest first: the last one, and what came before it back to the newest that got as far
 * as its request, since an attempt tells of the ones before it first.
 */
export const untold = (past: PastEpoch[]): PastEpoch[] =>
  past.slice(
    Math.max(
      0,
      past.findLastIndex(({ requested }) => requested),
    ),
  );

const SILENT = 'the worker ended without a word (killed, or its node went away)';

/** What ended the newest past epoch, as the one that goes on from it sees it; null where it ended as it should. */
export async function preemptionOf(
  paths: RunPaths,
  stage: string,
  last: PastEpoch,
  { resume_from, quarantined }: Pick<TakenEpoch, 'resume_from' | 'quarantined'>,
  node: string,
): Promise<Preemption | null> {
  if (last.outcome && !['preempted', 'failed'].includes(last.outcome.status)) return null;
  const newest = await newestMetric(paths, stage, last.epoch);
  const record = await readEpoch(paths, stage, last.epoch);
  const started = record?.started_at ?? new Date().toISOString();
  const moved = record !== null && record.node !== node;
  const silent = moved ? `node ${record.node} fell silent; the stage went on at ${node}` : SILENT;
  const damage = quarantined.map(({ name, reason, moved_to }) =>
    moved_to === null ? `; ${name}: ${reason}` : `; ${name} was damaged (${reason}) and is in quarantine`,
  );
  const ended = last.outcome && (await stat(paths.stage(stage).epoch(last.epoch).outcome)).mtime.toISOString();
  const resumedStep = resume_from?.step ?? 0;
  return {
    at: ended ?? newest?.at ?? started,
    stage,
    what: moved ? 'node' : last.outcome ? 'trainer' : 'worker',
    cause: `${last.outcome?.message ?? silent}${damage.join('')}`,
    steps_lost: Math.max(0, (newest?.step ?? resumedStep) - resumedStep),
    seconds_to_next_commit: null,
  };
}

function parseMetric(line: string): MetricLine | null {
  try {
    return MetricLine.safeParse(JSON.parse(line)).data ?? null;
  } catch {
    return null;
  }
}

async function newestMetric(paths: RunPaths, stage: string, epoch: number): Promise<MetricLine | null> {
  if (!existsSync(paths.report.metrics)) return null;
  let newest: MetricLine | null = null;
  // Figures for people: a line that is damaged must not keep a stage from going on.
  for await (const line of createInterface({ input: createReadStream(paths.report.metrics) })) {
    const metric = parseMetric(line);
    if (metric?.stage === stage && metric.epoch === epoch) newest = metric;
  }
  return newest;
}
