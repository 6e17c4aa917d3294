import { rm, symlink, writeFile } from 'node:fs/promises';
import { Context } from '@temporalio/activity';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainGrpo } from '../../activities/train-grpo.ts';
import { loadConfig } from '../../src/config.ts';
import { failure } from '../../src/failures.ts';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { specDigest } from '../../src/run-directory/create-run.ts';
import type { RunPaths } from '../../src/run-directory/paths.ts';
import { aRun, aSpec } from '../run-directory/a-run.ts';
import { knownRun, queues, startTimeSkipping, summary, withWorker } from './environment.ts';

/** Attempts at GRPO that fail on a run directory as it may be found; the activity is the real one. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTimeSkipping();
}, 60_000);
afterAll(() => environment?.teardown());

// The activity asks whether the server still waits for it, which the time-skipping server does not say.
const stillWaits = () => {
  const { activityId, attempt } = Context.current().info;
  return { describe: async () => ({ raw: { pendingActivities: [{ activityId, attempt }] } }) };
};
const describeNamespace = async () => ({ namespaceInfo: { id: 'id of default' } });
const client = { workflow: { getHandle: stillWaits }, workflowService: { describeNamespace } } as unknown as Client;

const base = aSpec();
const { plan, ...rest } = knownRun(base);
const known = { ...rest, plan: { ...plan, spec_digest: specDigest(base), serves_judge: false } };

/** Runs the workflow `grpo` alone with `attempt` as its training; returns how it failed and how many attempts it made. */
async function failing(
  id: string,
  attempt: (input: never) => Promise<unknown>,
  releaseNode: () => Promise<void> = async () => undefined,
) {
  let attempts = 0;
  const activities = {
    readRun: async () => known,
    reserveNode: async () => ({ node: 'a', task_queue: queues.node, gpus: [] }),
    releaseNode,
    trainGrpo: async (input: never) => {
      attempts += 1;
      return attempt(input);
    },
  };
  const error = await withWorker(environment, activities, () =>
    environment.client.workflow
      .execute('grpo', { taskQueue: queues.main, workflowId: `gavel/${id}/grpo`, args: [{ run: 'first' }] })
      .catch((thrown: unknown) => thrown),
  );
  const cause = error instanceof WorkflowFailedError ? error.cause : null;
  return { attempts, cause: cause instanceof ApplicationFailure ? cause : null, result: error };
}

const real = (paths: RunPaths) => {
  const config = loadConfig({ GAVEL_ROOT: paths.root, GAVEL_NODE: 'a' });
  return trainGrpo({ config, client, namespace: 'default', root_id: 'a-root' }) as (input: never) => Promise<unknown>;
};

describe('attempts that fail before they begin', { timeout: 120_000 }, () => {
  it('end in NoProgress where the spec in the run directory cannot be read', async () => {
    const paths = await aRun();
    await writeFile(paths.spec, '{"run":');
    const { attempts, cause } = await failing('unreadable', real(paths));
    expect(cause).toMatchObject({ type: 'NoProgress', nonRetryable: true });
    expect(cause?.message).toContain('3 attempts at grpo failed before they could begin. Last: Expected');
    expect(cause?.message).toContain('gavel run runs/first/spec.json --resume');
    expect(attempts).toBe(3);
  });

  it('end in NoProgress where no epoch can be taken', async () => {
    const paths = await aRun();
    await rm(paths.stage('grpo').epochs, { recursive: true });
    await writeFile(paths.stage('grpo').epochs, 'a file in the way');
    const { attempts, cause } = await failing('no-epoch', real(paths));
    expect(cause).toMatchObject({ type: 'NoProgress' });
    expect(attempts).toBe(3);
  });

  it('end in NoProgress where the ledger cannot be read', async () => {
    const paths = await aRun();
    await claimEpoch(paths.stage('grpo'));
    // A link to itself fails on every attempt, as a broken disk does.
    await symlink(paths.segment('grpo', 1, 1), paths.segment('grpo', 1, 1));
    const { attempts, cause } = await failing('no-ledger', real(paths));
    expect(cause).toMatchObject({ type: 'NoProgress' });
    expect(attempts).toBe(3);
  });
});

it('ends in NoProgress although the broken disk keeps the node from being given back', {
  timeout: 120_000,
}, async () => {
  const broken = async () => {
    throw new Error('EIO: i/o error');
  };
  const { attempts, cause } = await failing('no-release', broken, broken);
  expect(cause).toMatchObject({ type: 'NoProgress' });
  expect(attempts).toBe(3);
});

describe('attempts that end otherwise', { timeout: 120_000 }, () => {
  /** Fails as told, one attempt after the other, then succeeds. */
  const inTurn = (...errors: Error[]) => {
    return async () => {
      const error = errors.shift();
      if (error) throw error;
      return summary();
    };
  };

  it('are tried on and on where they were preempted', async () => {
    const preempted = Array.from({ length: 8 }, () => failure('TrainerPreempted', 'killed'));
    const { attempts, result } = await failing('preempted', inTurn(...preempted));
    expect(result).toMatchObject({ step: 2 });
    expect(attempts).toBe(9);
  });

  it('are left to the next attempt to count where their own folder says how they ended', async () => {
    const died = Array.from({ length: 5 }, (_, epoch) => failure('TrainerDied', 'exit code 1', { epoch }));
    expect((await failing('recorded', inTurn(...died))).attempts).toBe(6);
  });

  it('wait for a full disk to be freed', async () => {
    const full = Array.from({ length: 12 }, () => failure('DiskFull', 'no space left'));
    expect((await failing('full', inTurn(...full))).attempts).toBe(13);
  });
});
