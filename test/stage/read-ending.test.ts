import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Outcome } from '../../src/contracts/stage.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { readOutcome } from '../../src/run-directory/result.ts';
import { readEnding } from '../../src/stage/read-ending.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gavel-ending-'));
  mkdirSync(runPaths(root, 'r').stage('grpo').epoch(1).dir, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

interface Left {
  code?: number;
  signal?: string;
  outcome?: Outcome;
  log?: string;
  oom_kills?: number;
}

async function ending({ code, signal, outcome, log = '', oom_kills = 0 }: Left) {
  const paths = runPaths(root, 'r');
  const logPath = join(root, 'log');
  writeFileSync(logPath, log);
  if (outcome) writeFileSync(paths.stage('grpo').epoch(1).outcome, JSON.stringify(outcome));
  const given = { paths, stage: 'grpo', epoch: 1, logPath, code: code ?? null, signal: signal ?? null };
  const error = await readEnding({ ...given, asked: null, hung: null, oom_kills }).catch((thrown: unknown) => thrown);
  return {
    type: (error as { type?: string }).type ?? (error as Error).name,
    message: (error as Error).message,
    outcome: await readOutcome(paths, 'grpo', 1),
  };
}

// As torchrun ends its log: the others' ends first, then the first one.
const launcherLog = (exit: string) => `[1]:
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 11)  (SIGTERM)
  error_file: <N/A>
------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-22_16:23:28
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : ${exit}
  error_file: <N/A>
  traceback : the end
======================================================
`;
const failed: Outcome = {
  status: 'failed',
  message: 'RuntimeError: Connection reset by peer',
  field: null,
  cause: null,
};

it.each(['SIGKILL', 'SIGTERM', 'SIGHUP'])(
  'takes an end by %s for a preemption, which costs no attempt',
  async (signal) => {
    const { type, outcome } = await ending({ signal });
    expect(type).toBe('TrainerPreempted');
    expect(outcome).toMatchObject({ status: 'preempted', message: `the trainer ended with ${signal}` });
  },
);

it.each(['SIGSEGV', 'SIGABRT', 'SIGBUS'])(
  'takes an end by %s for an error: the trainer did it itself',
  async (signal) => {
    const { type, outcome } = await ending({ signal });
    expect(type).toBe('TrainerDied');
    expect(outcome).toMatchObject({ status: 'failed', message: `the trainer ended with ${signal}` });
  },
);

it('takes the kill of one rank for a preemption, although the others failed of it', async () => {
  const { type, outcome } = await ending({ code: 1, outcome: failed, log: launcherLog('-9 (pid: 12)  (SIGKILL)') });
  expect(type).toBe('TrainerPreempted');
  expect(outcome).toMatchObject({ status: 'preempted', message: 'rank 1 was ended by SIGKILL' });
});

it.each(['1 (pid: 12)', '-11 (pid: 12)  (SIGSEGV)'])('takes a rank that ended with %s for an error', async (exit) => {
  const { type, outcome } = await ending({ code: 1, outcome: failed, log: launcherLog(exit) });
  expect(type).toBe('TrainerDied');
  expect(outcome).toMatchObject({ status: 'failed', message: failed.message });
});

it('takes a SIGKILL for an error where the kernel killed because memory ran out, and says what to lower', async () => {
  const { type, outcome, message } = await ending({ signal: 'SIGKILL', oom_kills: 1 });
  expect(type).toBe('OutOfMemory');
  expect(outcome?.status).toBe('failed');
  expect(outcome?.message).toContain('out of memory: the kernel killed the trainer');
  expect(message).toContain('lower grpo.micro_batch_size');
});

it('takes a rank that the kernel killed because memory ran out for an error, although the others failed because of it', async () => {
  const log = launcherLog('-9 (pid: 12)  (SIGKILL)');
  expect(await ending({ code: 1, outcome: failed, log, oom_kills: 1 })).toMatchObject({
    type: 'OutOfMemory',
    outcome: { status: 'failed' },
  });
});

it('lets a trainer that was asked to end be preempted although another process was killed because memory ran out', async () => {
  expect((await ending({ signal: 'SIGTERM', oom_kills: 1 })).type).toBe('TrainerPreempted');
});

it.each([
  'OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB',
  "RuntimeError: [enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 8 bytes",
  'MemoryError: ',
])('says what to lower where the trainer itself says %j', async (message) => {
  const { type, outcome } = await ending({ code: 1, outcome: { ...failed, message } });
  expect(type).toBe('OutOfMemory');
  expect(outcome?.message).toContain('lower grpo.micro_batch_size');
});

const done: Outcome = { status: 'done', message: 'done', field: null, cause: null };

it('says superseded where another attempt took over from one that was done, and leaves what that one said', async () => {
  mkdirSync(runPaths(root, 'r').stage('grpo').epoch(2).dir);
  expect(await ending({ code: 0, outcome: done })).toMatchObject({ type: 'EpochSuperseded', outcome: done });
});

it('says that the result is damaged where a trainer was done and its result cannot be read', async () => {
  const { result, epoch } = runPaths(root, 'r').stage('grpo');
  writeFileSync(result, '{"stage": "gr');
  const { type, message, outcome } = await ending({ code: 0, outcome: done });
  expect(type).toBe('ResultDamaged');
  expect(message).toContain(`its result is damaged: Expected ${result} to hold JSON`);
  // It counts as an error, so that a disk that damages every result ends the stage.
  expect(outcome).toMatchObject({ status: 'failed', cause: 'crashed' });
  rmSync(epoch(1).outcome);
  rmSync(result);
  expect((await ending({ code: 0, outcome: done })).message).toContain('its result is damaged: it is not there');
});
