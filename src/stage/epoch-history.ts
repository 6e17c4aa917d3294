import { createReadStream, existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import type { Interruption } from '../contracts/interruption.ts';
import { MetricLine, type Outcome } from '../contracts/stage.ts';
import { readEpoch, readHead } from '../run-directory/epoch-records.ts';
import { readJsonLines } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readOutcome } from '../run-directory/result.ts';
import { causeOf } from './failed-outcome.ts';
import type { TakenEpoch } from './take-epoch.ts';

/** What the earlier attempts at a stage left behind, read from their folders. */

export interface PastEpoch {
  epoch: number;
  /** null: its worker was killed, or is a zombie. */
  outcome: Outcome | null;
  /** It committed a checkpoint or, where a stage only grades, had verdicts given that a later attempt need not ask for again. */
  progressed: boolean;
  /** It came so far as to start its trainer. */
  started: boolean;
}

/** All epochs of a stage before `taken`, oldest first. */
export async function readPastEpochs(paths: RunPaths, stage: string, taken: number): Promise<PastEpoch[]> {
  const past: PastEpoch[] = [];
  for (let epoch = 1; epoch < taken; epoch += 1) {
    const outcome = await readOutcome(paths, stage, epoch).catch(() => null);
    // One that cannot be read must not keep the attempts after it from being counted.
    const committed = (await readHead(paths, stage, epoch).catch(() => null)) !== null;
    const progressed = committed || (await gradedRows(paths, stage, epoch).catch(() => false));
    past.push({ epoch, outcome, progressed, started: existsSync(paths.stage(stage).epoch(epoch).request) });
  }
  return past;
}

const Occasion = z.object({ occasion: z.string() });

/**
 * Whether the epoch added verdicts on audit rows to the ledger: the audit, and GRPO once it is trained, make no checkpoints. The first trace
 * says it, since an epoch without a commit either trains or grades rows. Verdicts in training are no progress: a step that is sampled
 * again on a GPU differs, and has new ones each time.
 */
async function gradedRows(paths: RunPaths, stage: string, epoch: number): Promise<boolean> {
  for await (const { occasion } of readJsonLines(paths.segment(stage, epoch, 1), Occasion)) {
    return /^(audit|retest):/.test(occasion);
  }
  return false;
}

/** Those whose end is not in the list yet, oldest first: the last one, and others that no attempt since could write down. */
export function untold(past: PastEpoch[], stage: string, interruptions: readonly Interruption[]): PastEpoch[] {
  const told = new Set(interruptions.filter((one) => one.stage === stage).map(({ epoch }) => epoch));
  return past.filter(({ epoch }) => !told.has(epoch));
}

const SILENT = 'the worker left no outcome (it was killed, or its node was lost)';

/** What ended a past epoch, as the one that goes on from it sees it; null where it ended as it should. */
export async function interruptionOf(
  paths: RunPaths,
  stage: string,
  last: PastEpoch,
  { resume_from, quarantined }: Pick<TakenEpoch, 'resume_from' | 'quarantined'>,
  node: string,
): Promise<Interruption | null> {
  if (last.outcome && !['preempted', 'failed'].includes(last.outcome.status)) return null;
  const newest = await newestMetric(paths, stage, last.epoch);
  const record = await readEpoch(paths, stage, last.epoch);
  const started = record?.started_at ?? new Date().toISOString();
  const moved = record !== null && record.node !== node;
  const silent = moved ? `node ${record.node} fell silent; the stage resumed on ${node}` : SILENT;
  const damage = quarantined.map(({ name, reason, moved_to }) =>
    moved_to === null ? `; ${name}: ${reason}` : `; ${name} was damaged (${reason}) and is in quarantine`,
  );
  const ended = last.outcome && (await stat(paths.stage(stage).epoch(last.epoch).outcome)).mtime.toISOString();
  const resumedStep = resume_from?.step ?? 0;
  return {
    at: ended ?? newest?.at ?? started,
    stage,
    epoch: last.epoch,
    what: moved ? 'node' : last.outcome ? 'trainer' : 'worker',
    cause: causeOf(last.outcome),
    message: `${last.outcome?.message ?? silent}${damage.join('')}`,
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
