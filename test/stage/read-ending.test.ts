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
}

async function ending({ code, signal, outcome, log = '' }: Left) {
  const paths = runPaths(root, 'r');
  const logPath = join(root, 'log');
  writeFileSync(logPath, log);
  if (outcome) writeFileSync(paths.stage('grpo').epoch(1).outcome, JSON.stringify(outcome));
  const given = { paths, stage: 'grpo', epoch: 1, logPath, code: code ?? null, signal: signal ?? null };
  const error = await readEnding({ ...given, asked: null, hung: null }).catch((thrown: unknown) => thrown);
  return { type: (error as { type: string }).type, outcome: await readOutcome(paths, 'grpo', 1) };
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
const failed: Outcome = { status: 'failed', message: 'RuntimeError: Connection reset by peer', field: null };

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
