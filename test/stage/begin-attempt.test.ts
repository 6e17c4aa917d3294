import { mkdirSync } from 'node:fs';
import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type { WorkflowOwner } from '../../src/contracts/reservation.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { EpochSuperseded } from '../../src/run-directory/epoch-records.ts';
import type { RunPaths } from '../../src/run-directory/paths.ts';
import { readOutcome } from '../../src/run-directory/result.ts';
import { beginAttempt } from '../../src/stage/begin-attempt.ts';
import type { StageRun } from '../../src/stage/stage-run.ts';
import { aRun, aSpec } from '../run-directory/a-run.ts';

/** What a first attempt wrote into the ledger fails to be read on every later one, as on a broken disk: it links to itself. */
async function brokenSegment(paths: RunPaths) {
  await claimEpoch(paths.stage('grpo'));
  const segment = paths.segment('grpo', 1, 1);
  await symlink(segment, segment);
  return segment;
}

const anOwner = (namespace: string, run_id: string): WorkflowOwner => ({
  kind: 'workflow',
  namespace,
  namespace_id: `id of ${namespace}`,
  workflow_id: 'gavel/first/grpo',
  run_id,
});

/** What the attempt at GRPO is given; nothing here starts a process. */
const grpo = (root: string): StageRun => ({
  config: loadConfig({ GAVEL_ROOT: root, GAVEL_NODE: 'a' }),
  spec: aSpec(),
  stage: 'grpo',
  owner: anOwner('default', 'run-1'),
  gpus: [],
  reservation: 'r.1',
  signal: new AbortController().signal,
  grace_ms: () => 0,
  ended: () => new Error('ended'),
  beat: () => undefined,
  onCommit: () => undefined,
  onInterruption: () => undefined,
  onAlarm: () => undefined,
  gateway: () => {
    throw new Error('no gateway here');
  },
  secrets: {},
});

it('refuses once the budget is used up by attempts that could not read the ledger', async () => {
  const paths = await aRun();
  const segment = await brokenSegment(paths);
  for (const _ of [1, 2, 3]) await expect(beginAttempt(grpo(paths.root), paths)).rejects.toThrow('ELOOP');
  const refused = beginAttempt(grpo(paths.root), paths);
  await expect(refused).rejects.toMatchObject({ type: 'NoProgress', nonRetryable: true });
  await expect(refused).rejects.toThrow(/3 attempts at grpo ended by error without a commit. Last: ELOOP/);

  // A person fixes the cause and resumes: all attempts are free again.
  await rm(segment);
  expect(await beginAttempt(grpo(paths.root), paths)).toMatchObject({ taken: { epoch: 6 } });
});

it('refuses although what earlier attempts left cannot be read either', async () => {
  const paths = await aRun();
  await brokenSegment(paths);
  for (const _ of [1, 2, 3]) await expect(beginAttempt(grpo(paths.root), paths)).rejects.toThrow('ELOOP');
  await mkdir(paths.stage('grpo').epoch(4).head);
  await expect(beginAttempt(grpo(paths.root), paths)).rejects.toMatchObject({ type: 'NoProgress' });
});

it('says in the folder of the attempt what kept it from beginning', async () => {
  const paths = await aRun();
  await brokenSegment(paths);
  await expect(beginAttempt(grpo(paths.root), paths)).rejects.toThrow('ELOOP');
  expect(await readdir(paths.stage('grpo').epochs)).toEqual(['000001', '000002']);
  expect(await readOutcome(paths, 'grpo', 2)).toMatchObject({ status: 'failed' });
});

it('takes no epoch where another attempt took one since it looked for the result', async () => {
  const paths = await aRun();
  const run = grpo(paths.root);
  // The node is first read when the epoch is taken.
  const config = Object.defineProperty({ ...run.config }, 'node', {
    get: () => {
      mkdirSync(paths.stage('grpo').epoch(1).dir, { recursive: true });
      return 'a';
    },
  });
  await expect(beginAttempt({ ...run, config }, paths)).rejects.toBeInstanceOf(EpochSuperseded);
  expect(await readdir(paths.stage('grpo').epochs)).toEqual(['000001']);
});

it('refuses after ten attempts in a row that were killed with their worker, and asks about memory', async () => {
  const paths = await aRun();
  for (let n = 1; n <= 10; n += 1) {
    const { taken } = (await beginAttempt(grpo(paths.root), paths)) as { taken: { dir: string } };
    await writeFile(join(taken.dir, 'request.json'), '{}');
  }
  const refused = beginAttempt(grpo(paths.root), paths);
  await expect(refused).rejects.toMatchObject({ type: 'NoProgress', nonRetryable: true });
  await expect(refused).rejects.toThrow('10 attempts at grpo in a row were killed with their worker');
  await expect(refused).rejects.toThrow('out of memory?');
  expect(await beginAttempt(grpo(paths.root), paths)).toMatchObject({ taken: { epoch: 12 } });
});

it('ends a workflow whose stage one of another namespace has taken over, and lets the other go on', async () => {
  const paths = await aRun();
  const as = (owner: WorkflowOwner) => beginAttempt({ ...grpo(paths.root), owner }, paths);
  const [one, other] = [anOwner('default', 'run-1'), anOwner('team', 'run-2')];
  await as(one);
  // A person resumes the run elsewhere.
  expect(await as(other)).toMatchObject({ taken: { epoch: 2 } });
  const superseded = as(one);
  await expect(superseded).rejects.toMatchObject({ type: 'AttemptGivenUp', nonRetryable: true });
  await expect(superseded).rejects.toThrow('epoch 2 was taken by workflow gavel/first/grpo in the namespace team');
  expect(await as(other)).toMatchObject({ taken: { epoch: 3 } });
  // And back again, by a new execution.
  expect(await as(anOwner('default', 'run-3'))).toMatchObject({ taken: { epoch: 4 } });
  await expect(as(other)).rejects.toMatchObject({ nonRetryable: true });
});

it('lets executions of one namespace follow each other', async () => {
  const paths = await aRun();
  for (const run_id of ['run-1', 'run-2', 'run-1']) {
    await beginAttempt({ ...grpo(paths.root), owner: anOwner('default', run_id) }, paths);
  }
});
