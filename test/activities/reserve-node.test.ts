import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { releaseNode, reserveNode } from '../../activities/reserve-node.ts';
import { loadConfig } from '../../src/config.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { readStop, requestStop } from '../../src/run-directory/stop.ts';

const ROOT_ID = '0f5e2c1a-6f0e-4a55-9a3f-3d7d6f0b7c11';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gavel-reserve-'));
  mkdirSync(runPaths(root, 'r').stage('grpo').dir, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

type Known = Record<string, 'RUNNING' | 'COMPLETED' | 'unreachable'>;

/** `waits_for`: the attempt that the server waits for; null where it waits for none. */
function on(node: string, gpus: string[], known: Known = {}, attempt = 1, waits_for: number | null = attempt) {
  const pendingActivities = waits_for === null ? [] : [{ activityId: 'test', attempt: waits_for }];
  const describe = async (id: string) => {
    if (id === 'test') return { raw: { pendingActivities } };
    const status = id === 'mine' ? 'RUNNING' : known[id];
    if (status === undefined) throw new WorkflowNotFoundError('no such workflow', id, undefined);
    if (status === 'unreachable') throw new Error('UNAVAILABLE');
    return { status: { name: status } };
  };
  const client = { workflow: { getHandle: (id: string) => ({ describe: () => describe(id) }) } } as unknown as Client;
  const dependencies = {
    config: { ...loadConfig(), root, node, gpus },
    root_id: ROOT_ID,
    client,
    namespace: 'default',
  };
  const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
  const input = { run: 'r', stage: 'grpo', gpus: 1, owner: 'mine', avoid: [] as string[] };
  return {
    reserve: (change: Partial<typeof input> = {}) =>
      environment.run(reserveNode(dependencies), { ...input, ...change }) as Promise<unknown>,
    cancel: () => environment.cancel(),
    release: (owner: string) => environment.run(releaseNode(dependencies), { owner }),
  };
}

describe('reserveNode', () => {
  it('leases on its own node and takes back what was asked of earlier attempts', async () => {
    await requestStop(runPaths(root, 'r'), 'grpo', 'paused');
    expect(await on('a', ['g0']).reserve()).toEqual({ node: 'a', task_queue: 'gavel-0f5e2c1a-node-a', gpus: ['g0'] });
    expect(await readStop(runPaths(root, 'r'), 'grpo')).toBeNull();
  });

  it('hands a node that will be taken away on to others, and takes it where no other came', async () => {
    const refused = on('a', ['g0']).reserve({ avoid: ['a'] });
    await expect(refused).rejects.toMatchObject({ type: 'NodeLeaving', nonRetryable: false });
    expect(await on('a', ['g0'], {}, 13).reserve({ avoid: ['a'] })).toMatchObject({ node: 'a' });
  });

  it('lets another node try where it has too few GPUs, and gives up once all had their turn', async () => {
    await expect(on('a', []).reserve()).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: false });
    const last = on('a', [], {}, 13).reserve();
    await expect(last).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: true });
    await expect(last).rejects.toThrow('placement: grpo needs 1 GPUs at once; node a has 0, and no node has more');
  });

  it('waits for a larger node that is busy or away, however often a small one was asked', async () => {
    await on('large', ['g0', 'g1']).reserve({ gpus: 2 });
    const small = on('small', [], {}, 99).reserve({ gpus: 2 });
    await expect(small).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: false });
  });

  it('breaks the lease of a workflow that is over or unknown, and respects one that cannot be asked about', async () => {
    await on('a', ['g0'], { unknown: 'RUNNING' }).reserve({ owner: 'unknown' });
    expect(await on('a', ['g0']).reserve()).toMatchObject({ gpus: ['g0'] });
    await on('a', ['g0']).release('mine');
    await on('a', ['g0'], { over: 'RUNNING' }).reserve({ owner: 'over' });
    expect(await on('a', ['g0'], { over: 'COMPLETED' }).reserve()).toMatchObject({ gpus: ['g0'] });
    await on('a', ['g0']).release('mine');
    await on('a', ['g0'], { silent: 'RUNNING' }).reserve({ owner: 'silent' });
    const { reserve, cancel } = on('a', ['g0'], { silent: 'unreachable' });
    const waiting = reserve();
    const first = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
    expect(first).toBe('waits');
    cancel();
    await expect(waiting).rejects.toThrow();
  });

  it.each([
    ['waits for attempt 2', 2],
    ['waits for none', null],
  ])('changes nothing when it comes too late: the server %s', async (says, waits_for) => {
    await requestStop(runPaths(root, 'r'), 'grpo', 'paused');
    await on('b', ['h0']).reserve();
    await requestStop(runPaths(root, 'r'), 'grpo', 'paused again');
    const late = on('a', ['g0'], {}, 1, waits_for).reserve();
    await expect(late).rejects.toMatchObject({ type: 'AttemptGivenUp' });
    await expect(late).rejects.toThrow(says);
    expect(await readStop(runPaths(root, 'r'), 'grpo')).toMatchObject({ reason: 'paused again' });
    expect(existsSync(join(root, '.gavel/leases/b/h0.json'))).toBe(true);
    expect(existsSync(join(root, '.gavel/leases/a/g0.json'))).toBe(false);
  });

  it('gives back what a silent worker may have leased for the same stage on its own node', async () => {
    await on('a', ['g0']).reserve();
    await on('b', ['h0']).reserve();
    expect(existsSync(join(root, '.gavel/leases/a/g0.json'))).toBe(false);
    expect(existsSync(join(root, '.gavel/leases/b/h0.json'))).toBe(true);
    await on('b', ['h0']).release('mine');
    expect(existsSync(join(root, '.gavel/leases/b/h0.json'))).toBe(false);
  });
});
