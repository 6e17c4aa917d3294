import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failure } from '../../src/failures.ts';
import { knownRun, queues, startTimeSkipping, summary, withWorker } from './environment.ts';

/** Errors that may be a node's own: the stage tries another node before it fails. Both nodes are polled by one worker here. */

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTimeSkipping();
}, 60_000);
afterAll(() => environment?.teardown());

const known = knownRun();
const withoutServer = { ...known, plan: { ...known.plan, serves_judge: false } };

interface Asked {
  avoid: string[];
  failed_on: string[];
}

/** Runs the workflow `grpo` with the training `train`, on `nodes` as reserveNode gives them; says where it worked and how it ended. */
async function onNodes(id: string, nodes: string[], train: (node: string) => Promise<unknown>) {
  const asked: Asked[] = [];
  const worked: string[] = [];
  let node = '';
  const activities = {
    readRun: async () => withoutServer,
    reserveNode: async ({ avoid, failed_on }: Asked) => {
      asked.push({ avoid, failed_on });
      const found = nodes.find((each) => !avoid.includes(each)) ?? nodes.find((each) => !failed_on.includes(each));
      if (found === undefined) throw failure('NoOtherNode', 'none came', {}, { retry: false });
      node = found;
      return { node, task_queue: queues.node, gpus: [] };
    },
    releaseNode: async () => undefined,
    askToStop: async () => undefined,
    trainGrpo: async () => {
      worked.push(node);
      return (await train(node)) ?? summary();
    },
  };
  const result = await withWorker(environment, activities, () =>
    environment.client.workflow
      .execute('grpo', { taskQueue: queues.main, workflowId: `gavel/${id}/grpo`, args: [{ run: 'first' }] })
      .catch((thrown: unknown) => thrown),
  );
  const cause =
    result instanceof WorkflowFailedError && result.cause instanceof ApplicationFailure ? result.cause : null;
  return { asked, worked, cause, result };
}

const failsOn = (bad: string[], type: Parameters<typeof failure>[0]) => async (node: string) => {
  if (bad.includes(node)) throw failure(type, `${type} on ${node}`);
};

describe('a stage whose work fails on a node', { timeout: 120_000 }, () => {
  it.each(['ModelDidNotStart', 'InvalidSpec'] as const)('goes to another one after %s', async (type) => {
    const { worked, asked, result } = await onNodes(`moved-${type}`, ['a', 'b'], failsOn(['a'], type));
    expect(result).toMatchObject({ step: 2 });
    expect(worked).toEqual(['a', 'b']);
    expect(asked).toEqual([
      { avoid: [], failed_on: [] },
      { avoid: ['a'], failed_on: ['a'] },
    ]);
  });

  it('fails where a second one fails too', async () => {
    const { worked, cause } = await onNodes('both', ['a', 'b', 'c'], failsOn(['a', 'b'], 'ModelDidNotStart'));
    expect(worked).toEqual(['a', 'b']);
    expect(cause).toMatchObject({ type: 'ModelDidNotStart', message: 'ModelDidNotStart on b' });
  });

  it('fails with what happened there where there is no other', async () => {
    const { worked, cause } = await onNodes('alone', ['a'], failsOn(['a'], 'ModelDidNotStart'));
    expect(worked).toEqual(['a']);
    expect(cause).toMatchObject({ type: 'ModelDidNotStart', message: 'ModelDidNotStart on a' });
  });

  it('goes to another one after the second trainer in a row that died', async () => {
    const { worked, result } = await onNodes('died', ['a', 'b'], failsOn(['a'], 'TrainerDied'));
    expect(result).toMatchObject({ step: 2 });
    expect(worked).toEqual(['a', 'a', 'b']);
  });

  it('tries on where its trainer dies and there is no other', async () => {
    let deaths = 4;
    const { worked, result } = await onNodes('died-alone', ['a'], async () => {
      deaths -= 1;
      if (deaths >= 0) throw failure('TrainerDied', 'exit code 1', { epoch: 1 });
    });
    expect(result).toMatchObject({ step: 2 });
    expect(worked).toHaveLength(5);
  });
});
