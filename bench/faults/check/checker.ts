import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, RolloutRecord } from '../../../src/contracts/stage.ts';
import type { Trace } from '../../../src/contracts/trace.ts';
import { acceptedSegments } from '../../../src/ledger/accepted.ts';
import { parseLine } from '../../../src/ledger/line.ts';
import { segmentLines } from '../../../src/ledger/segment.ts';
import { verifyCheckpoint } from '../../../src/run-directory/checkpoints.ts';
import { readJsonLines } from '../../../src/run-directory/files.ts';
import type { RunPaths } from '../../../src/run-directory/paths.ts';
import { readVerifiedResult } from '../../../src/run-directory/result.ts';
import type { Logged } from '../observe/event-log.ts';
import type { Assertion, Violation } from './assertions.ts';
import { costsOf, tooMuchLost } from './fault-costs.ts';
import { chainFrom, list, read, recordOf } from './read-run-directory.ts';
import type { Testimony } from './undisturbed-run.ts';

/**
 * The one checker. It believes nobody: it reads what lies on the disk and what was seen from outside, and says which of the
 * assertions do not hold.
 */

export interface Evidence {
  paths: RunPaths;
  stages: readonly string[];
  events: readonly Logged[];
  testimonies: readonly Testimony[];
  /** Keys of traces that a fault damaged in the ledger: they were there. */
  damaged: ReadonlySet<string>;
}

/** What a trainer gave a public name, as `record/sitecustomize.py` saw it, and what of it was not yet durable then. */
export interface Operation {
  op: 'publish';
  path: string;
  from: string;
  at: number;
  unsynced: string[];
}

/** The publications of all trainers of a run. */
function operationsOf(paths: RunPaths, stages: readonly string[]): Operation[] {
  return stages.flatMap((stage) =>
    list(paths.stage(stage).epochs).flatMap((number) =>
      (read(join(paths.stage(stage).epoch(Number(number)).dir, 'operations.jsonl')) ?? '')
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line) as Operation),
    ),
  );
}

export async function check(evidence: Evidence): Promise<Violation[]> {
  const { paths, stages, events, testimonies } = evidence;
  const found: Violation[] = events
    .filter((event) => event.event === 'violation')
    .map(({ assertion, detail }) => ({ assertion, detail }));
  for (const stage of stages) {
    if (stage !== 'audit') found.push(...(await chainOf(paths, stage)));
    found.push(...(await results(evidence, stage)));
  }
  found.push(...(await traces(evidence)), ...notices(events), ...durability(operationsOf(paths, stages), events));
  found.push(...tooMuchLost(costsOf(0, events, new Set())));
  for (const { what, disturbed, undisturbed } of testimonies) {
    if (disturbed === undisturbed) continue;
    const detail = `${what}: ${disturbed.slice(0, 16)} disturbed, ${undisturbed.slice(0, 16)} undisturbed`;
    found.push({ assertion: 'the final adapter equals the witness', detail });
  }
  return found;
}

/** Walks the chain of the stage's last checkpoint back to its first, and holds it against the records of the epochs. */
async function chainOf(paths: RunPaths, stage: string): Promise<Violation[]> {
  const found: Violation[] = [];
  const say = (assertion: Assertion, detail: string) => found.push({ assertion, detail: `${stage}: ${detail}` });
  const { result } = await readVerifiedResultOnly(paths, stage);
  let later: Manifest | null = null;
  for (const { name, folder, manifest } of chainFrom(paths, stage, result?.checkpoint ?? null)) {
    if (!manifest) {
      say('every published file matches its digest', `${name} has no manifest that can be read`);
      break;
    }
    if (!existsSync(join(folder, 'pruned.json'))) {
      const verified = await verifyCheckpoint(folder);
      if (!verified.ok) say('every published file matches its digest', `${name}: ${verified.reason}`);
    }
    if (later && manifest.step >= later.step) {
      say('committed steps strictly increase along the chain', `${later.name} comes after ${manifest.name}`);
      break;
    }
    if (later && later.epoch !== manifest.epoch) {
      const starts = recordOf(paths, stage, later.epoch)?.starts_from;
      if (starts !== manifest.name) {
        say(
          'nothing from a stale epoch counts',
          `${later.name} follows ${manifest.name}, but its epoch began from ${starts}`,
        );
      }
    }
    const stale = writtenLate(paths, stage, manifest);
    if (stale) say('nothing from a stale epoch counts', stale);
    later = manifest;
  }
  if (later && later.step !== 0 && stage === 'grpo') {
    say('committed steps strictly increase along the chain', `the chain begins at ${later.name}, not at step 0`);
  }
  return found;
}

/** A sentence where a checkpoint of the chain was made after a newer epoch had been taken. */
function writtenLate(paths: RunPaths, stage: string, manifest: Manifest): string | null {
  const next = recordOf(paths, stage, nextEpoch(paths, stage, manifest.epoch));
  if (!next || next.started_at >= manifest.created_at) return null;
  return `${manifest.name} was made at ${manifest.created_at}, after epoch ${next.epoch} began at ${next.started_at}`;
}

function nextEpoch(paths: RunPaths, stage: string, epoch: number): number {
  const numbers = list(paths.stage(stage).epochs).map(Number);
  return Math.min(...numbers.filter((number) => number > epoch), Number.POSITIVE_INFINITY);
}

async function readVerifiedResultOnly(paths: RunPaths, stage: string) {
  return existsSync(paths.stage(stage).result) ? readVerifiedResult(paths, stage) : { result: null };
}

async function results({ paths, events }: Evidence, stage: string): Promise<Violation[]> {
  const { result } = await readVerifiedResultOnly(paths, stage);
  if (!result) return [{ assertion: 'one result a stage', detail: `${stage} has none that verifies` }];
  const seen = events.filter((event) => event.event === 'result' && event.stage === stage);
  const damaged = events.filter((event) => event.event === 'fault' && event.kind === 'result half written').length;
  const found: Violation[] = [];
  // A result that a fault cut in half was seen as well: whole, half, and made again.
  const allowed = stage === 'grpo' && damaged > 0 ? 1 + 2 * damaged : 1;
  if (seen.length > allowed) {
    found.push({ assertion: 'one result a stage', detail: `${stage}: ${seen.length} different ones were seen` });
  }
  const newest = Math.max(...list(paths.stage(stage).epochs).map(Number));
  if (result.epoch !== newest && !endedLater(paths, stage, result.epoch)) {
    const detail = `${stage}: the result is of epoch ${result.epoch}, the newest is ${newest}`;
    found.push({ assertion: 'nothing from a stale epoch counts', detail });
  }
  return found;
}

/** An epoch may be taken after the result was published: its taker looked a moment before. It must not have done anything. */
function endedLater(paths: RunPaths, stage: string, epoch: number): boolean {
  const later = list(paths.stage(stage).epochs)
    .map(Number)
    .filter((number) => number > epoch);
  return later.every((number) => read(paths.stage(stage).epoch(number).head) === null);
}

/** Keys and occasions of all traces that count, against the rollouts of the committed chain. */
async function traces({ paths, stages, damaged }: Evidence): Promise<Violation[]> {
  const found: Violation[] = [];
  const occasions = new Map<string, string>();
  for (const segment of await acceptedSegments(paths.dir)) {
    for await (const lines of segmentLines(segment)) {
      for (const line of lines) {
        let trace: Trace;
        try {
          trace = parseLine<Trace>(line, segment.path);
        } catch (error) {
          found.push({ assertion: 'every published file matches its digest', detail: (error as Error).message });
          continue;
        }
        if (occasions.has(trace.key)) {
          found.push({ assertion: 'each trace key once', detail: `${trace.key} (${trace.occasion}) is there twice` });
        }
        occasions.set(trace.key, trace.occasion);
      }
    }
  }
  if (!stages.includes('grpo')) return found;
  const { result } = await readVerifiedResultOnly(paths, 'grpo');
  for (const { folder } of chainFrom(paths, 'grpo', result?.checkpoint ?? null)) {
    for await (const rollout of readJsonLines(join(folder, 'rollouts.jsonl'), RolloutRecord)) {
      found.push(...ownTrace(rollout, occasions, damaged));
    }
  }
  return found;
}

function ownTrace(rollout: RolloutRecord, occasions: ReadonlyMap<string, string>, damaged: ReadonlySet<string>) {
  const { step, group, rollout: number, trace_keys } = rollout;
  const place = `grpo:${step}:${group}:${number}`;
  const assertion: Assertion = 'each rollout has a trace of its own in the ledger';
  return trace_keys.flatMap((key, vote) => {
    const occasion = occasions.get(key);
    if (occasion === `${place}:${vote}`) return [];
    if (occasion === undefined && damaged.has(key)) return [];
    const what = occasion === undefined ? 'is not in the ledger' : `belongs to ${occasion}`;
    return [{ assertion, detail: `${place}: its trace ${key.slice(0, 16)} ${what}` }];
  });
}

const NOTICES = ['worker told to end (SIGTERM)', 'preemptionNotice', 'run paused and resumed'];

/** After a notice the next attempt begins where the last finished step was, not where the last checkpoint had been. */
export function notices(events: readonly Logged[]): Violation[] {
  return events.flatMap((fault, at) => {
    if (fault.event !== 'fault' || !NOTICES.includes(fault.kind)) return [];
    const rest = events.slice(at + 1);
    const next = rest.find(
      (event) => event.event === 'epoch' && event.stage === fault.stage && event.epoch > fault.epoch,
    );
    if (next?.event !== 'epoch') return [];
    // Its own: what an attempt before it had finished and not committed was lost to that one's end.
    const own = events
      .slice(0, events.indexOf(next))
      .flatMap((event) =>
        event.event === 'step' && event.stage === fault.stage && event.epoch === fault.epoch ? [event.step] : [],
      );
    const finished = Math.max(0, ...own);
    if (next.resumed_step >= finished) return [];
    const detail = `${fault.kind}: step ${finished} was finished, epoch ${next.epoch} began at ${next.resumed_step}`;
    return [{ assertion: 'no completed step is lost after a notice', detail }];
  });
}

/** Whatever is given its public name must have been made durable before: a power cut keeps names and loses bytes. */
function durability(operations: readonly Operation[], events: readonly Logged[]): Violation[] {
  const assertion: Assertion = 'a commit is durable before it is published';
  const commits = new Set(events.flatMap((event) => (event.event === 'commit' ? [`${event.checkpoint}`] : [])));
  const recorded = operations.filter(({ path }) => path.endsWith('/HEAD')).length;
  // A recorder that was not there would find nothing wrong.
  if (recorded < commits.size) {
    return [{ assertion, detail: `${commits.size} commits were seen, ${recorded} were recorded` }];
  }
  return operations.flatMap((operation) =>
    operation.unsynced.length > 0
      ? [
          {
            assertion,
            detail: `${operation.path}: not yet on the disk when it got its name: ${operation.unsynced.slice(0, 3).join(', ')}`,
          },
        ]
      : [],
  );
}
