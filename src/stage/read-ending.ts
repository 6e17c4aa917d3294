import { constants } from 'node:os';
import type { InterruptionCause } from '../contracts/interruption.ts';
import type { Outcome, StageResult } from '../contracts/stage.ts';
import { failure, invalidSpec, saysDiskFull } from '../failures.ts';
import { killedRank, lastError } from '../process/last-error.ts';
import { withoutQuotes } from '../process/without-quotes.ts';
import { assertNewest } from '../run-directory/epoch-records.ts';
import { writeAtomic } from '../run-directory/files.ts';
import type { RunPaths } from '../run-directory/paths.ts';
import { readOutcome, readResultOrReason } from '../run-directory/result.ts';

export interface Ending {
  paths: RunPaths;
  stage: string;
  epoch: number;
  logPath: string;
  code: number | null;
  signal: string | null;
  /** Why it was asked to stop; null where it was not. */
  asked: string | null;
  /** How it hung; null where it did not. */
  hung: string | null;
  /** How many processes of the trainer's control group the kernel killed because memory ran out, within a minute of its end. */
  oom_kills: number;
}

// Signals that people and schedulers send. A trainer that crashes in native code (SIGSEGV, SIGABRT) did so itself, and may do so at every attempt.
const FROM_OUTSIDE: ReadonlySet<string> = new Set(['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM']);
// 128 + n is how a shell or a launcher reports a signal.
const FROM_OUTSIDE_CODES: ReadonlySet<number> = new Set(
  [...FROM_OUTSIDE].map((name) => 128 + constants.signals[name as NodeJS.Signals]),
);

/** Ends of an attempt that waited for a model as long as the spec allows. */
const AWAY: Partial<Record<Outcome['status'], { type: 'JudgeAway' | 'PolicyAway'; who: string }>> = {
  judge_away: { type: 'JudgeAway', who: 'the judge answers' },
  policy_away: { type: 'PolicyAway', who: "the policy's servers answer" },
};

/** Reads how an attempt ended: its result, or a thrown failure of the type that says whether to try again. */
export async function readEnding(ending: Ending): Promise<StageResult> {
  const { paths, stage, epoch, logPath, code, signal, asked, hung, oom_kills } = ending;
  const outcome = await readOutcome(paths, stage, epoch).catch(() => null);
  if (outcome?.status === 'done') return await resultOf(ending);
  const away = outcome && AWAY[outcome.status];
  if (asked !== null && outcome?.status !== 'bad_request' && !away) {
    await record(ending, 'preempted', asked);
    throw failure('StopRequested', `${stage}: ${asked}`);
  }
  if (hung !== null) {
    await record(ending, 'hung', hung);
    throw failure('TrainerHung', `${stage}: ${hung}. Log: ${logPath}`, { log: logPath });
  }
  if (outcome?.status === 'bad_request') {
    throw invalidSpec([{ field: outcome.field ?? stage, message: outcome.message }]);
  }
  if (away) {
    const resume = `\`gavel run runs/${paths.run}/spec.json --resume\``;
    throw failure(away.type, `${outcome.message}. Once ${away.who} again: ${resume}`);
  }
  const how = signal ?? `exit code ${code}`;
  const killed = FROM_OUTSIDE.has(signal ?? '') || FROM_OUTSIDE_CODES.has(code ?? 0);
  // The others then fail at their next collective, and say that as an error of their own.
  const rank = outcome?.status === 'preempted' ? null : await killedRank(logPath);
  const isKilled = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL || /SIGKILL/.test(rank ?? '');
  if (isKilled && oom_kills > 0) throw await outOfMemory(ending, 'the kernel killed the trainer');
  if (rank !== null || outcome?.status === 'preempted' || (outcome === null && killed)) {
    const message = rank ?? outcome?.message ?? `the trainer ended with ${how}`;
    await record(ending, outcome?.cause ?? 'preempted', message);
    throw failure('TrainerPreempted', `${stage}: ${message}`, { log: logPath });
  }
  const message =
    (outcome && withoutQuotes(outcome.message)) ?? (await lastError(logPath)) ?? `the trainer ended with ${how}`;
  if (OUT_OF_MEMORY.test(message)) throw await outOfMemory(ending, message);
  const isFull = saysDiskFull(message);
  await record(ending, isFull ? 'disk_full' : 'crashed', message);
  throw failure(isFull ? 'DiskFull' : 'TrainerDied', `${stage}: ${message}. Log: ${logPath}`, {
    log: logPath,
  });
}

/** The result of an attempt that says it is done. Another one may have taken over since, or the disk lost it. */
async function resultOf(ending: Ending): Promise<StageResult> {
  const { paths, stage, epoch, logPath } = ending;
  await assertNewest(paths, stage, epoch);
  const { result, reason } = await readResultOrReason(paths, stage);
  if (result) return result;
  await assertNewest(paths, stage, epoch);
  const message = `the trainer said that it was done, but its result is damaged: ${reason ?? 'it is not there'}`;
  // An attempt that is done ends the row of those that count as errors; what is damaged each time must count.
  await record(ending, 'crashed', message);
  const details = { stage, log: logPath };
  // The next attempt sets the damaged result aside and publishes another, from the last checkpoint.
  throw failure('ResultDamaged', `${stage}: ${message}. Log: ${logPath}`, details, { retry: true });
}

// What torch says of a GPU and of the machine, and what Python does.
const OUT_OF_MEMORY = /out of memory|can't allocate memory|^MemoryError/i;

const LOWER: Record<string, string> = {
  grpo: 'lower grpo.micro_batch_size, grpo.max_completion_tokens or grpo.num_generations',
  sft: 'lower sft.batch_size or sft.max_length',
  audit: 'shorten audit.slices',
};

/** An attempt that runs out of memory does so again: it counts as an error, and says what to change. */
async function outOfMemory(ending: Ending, how: string) {
  const { stage, logPath } = ending;
  const message = `out of memory: ${how}; ${LOWER[stage]}, or give it more memory`;
  await record(ending, 'out_of_memory', message);
  return failure('OutOfMemory', `${stage}: ${message}. Log: ${logPath}`, { log: logPath });
}

/** Says in the outcome of an attempt that was ended from outside why it was; what it said of itself as an error stays. */
export async function noteCause(paths: RunPaths, stage: string, epoch: number, message: string): Promise<void> {
  const outcome = await readOutcome(paths, stage, epoch).catch(() => null);
  if (outcome !== null && outcome.status !== 'preempted') return;
  await record({ paths, stage, epoch }, outcome?.cause ?? 'preempted', message);
}

async function record(
  { paths, stage, epoch }: Pick<Ending, 'paths' | 'stage' | 'epoch'>,
  cause: InterruptionCause,
  message: string,
): Promise<void> {
  const status = ['preempted', 'superseded'].includes(cause) ? 'preempted' : 'failed';
  const outcome: Outcome = { status, message, field: null, cause };
  // On a full disk this fails too; the workflow counts the attempts that left no outcome.
  await writeAtomic(paths.stage(stage).epoch(epoch).outcome, outcome).catch(() => undefined);
}
