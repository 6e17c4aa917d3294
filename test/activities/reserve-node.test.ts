import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

/** What a server knows: its namespaces, and in each the workflows with their states. */
type Known = Record<string, Record<string, 'running' | 'completed'>>;
const SERVER: Known = { default: { mine: 'running' } };
const STATUS = { running: 1, completed: 2 };

function serviceOf(known: Known | 'unreachable') {
  const notFound = () => Object.assign(new Error('not found'), { code: 5 });
  const look = <T>(found: T | undefined): T => {
    if (known === 'unreachable') throw Object.assign(new Error('UNAVAILABLE'), { code: 14 });
    if (found === undefined) throw notFound();
    return found;
  };
  return {
    describeNamespace: async ({ namespace, id }: { namespace?: string; id?: string }) => {
      const name = namespace ?? id?.replace('id of ', '') ?? '';
      // The worker's own one is asked about before a lease, with which an outage then begins.
      if (namespace === undefined) look(known === 'unreachable' ? undefined : known[name]);
      return { namespaceInfo: { name, id: `id of ${name}` } };
    },
    describeWorkflowExecution: async (asked: { namespace: string; execution: { workflowId: string } }) => {
      const status = look(known === 'unreachable' ? undefined : known[asked.namespace]?.[asked.execution.workflowId]);
      return { workflowExecutionInfo: { status: STATUS[status] } };
    },
  };
}

interface Options {
  known?: Known | 'unreachable';
  namespace?: string;
  owner?: string;
  attempt?: number;
  /** The attempt that the server waits for; null where it waits for none. */
  waits_for?: number | null;
}

function on(node: string, gpus: string[] | null, options: Options = {}) {
  const { known = SERVER, namespace = 'default', owner = 'mine', attempt = 1, waits_for = attempt } = options;
  const pendingActivities = waits_for === null ? [] : [{ activityId: 'test', attempt: waits_for }];
  const client = {
    workflow: { getHandle: () => ({ describe: async () => ({ raw: { pendingActivities } }) }) },
    workflowService: serviceOf(known),
  } as unknown as Client;
  const dependencies = { config: { ...loadConfig(), root, node, gpus }, root_id: ROOT_ID, client, namespace };
  const workflowExecution = { workflowId: owner, runId: `run of ${owner}` };
  const info = { attempt, workflowExecution };
  const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
  const input = {
    stage: 'grpo',
    gpus: 1,
    reservation: `run of ${owner}.1`,
    avoid: [] as string[],
    failed_on: [] as string[],
  };
  return {
    reserve: (change: Partial<typeof input> = {}) =>
      environment.run(reserveNode(dependencies), { ...input, ...change }) as Promise<unknown>,
    cancel: () => environment.cancel(),
    release: (reservation = input.reservation) => environment.run(releaseNode(dependencies), { reservation }),
  };
}

const isLeased = (node: string, uuid: string) => existsSync(join(root, `.gavel/leases/${node}/${uuid}.json`));

/** What a call does within a third of a second: end, or wait. */
const soon = (work: Promise<unknown>) =>
  Promise.race([work, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);

describe('reserveNode', () => {
  it('leases on its own node', async () => {
    expect(await on('a', ['g0']).reserve()).toEqual({ node: 'a', task_queue: 'gavel-0f5e2c1a-node-a', gpus: ['g0'] });
  });

  it('leaves a stop alone: what was asked of another reservation is not asked of this one', async () => {
    await requestStop(runPaths(root, 'r'), 'grpo', 'run of mine.1', 'paused');
    await on('a', ['g0']).reserve({ reservation: 'run of mine.2' });
    expect(await readStop(runPaths(root, 'r'), 'grpo', 'run of mine.1')).toMatchObject({ reason: 'paused' });
    expect(await readStop(runPaths(root, 'r'), 'grpo', 'run of mine.2')).toBeNull();
  });

  it('hands a node that will be taken away on to others, and takes it where no other came', async () => {
    const refused = on('a', ['g0']).reserve({ avoid: ['a'] });
    await expect(refused).rejects.toMatchObject({ type: 'NodeLeaving', nonRetryable: false });
    expect(await on('a', ['g0'], { attempt: 13 }).reserve({ avoid: ['a'] })).toMatchObject({ node: 'a' });
  });

  it('never hands out a node where the work failed, and says so once all had their turn', async () => {
    const refused = on('a', ['g0']).reserve({ avoid: ['a'], failed_on: ['a'] });
    await expect(refused).rejects.toMatchObject({ type: 'NoOtherNode', nonRetryable: false });
    const last = on('a', ['g0'], { attempt: 13 }).reserve({ avoid: ['a'], failed_on: ['a'] });
    await expect(last).rejects.toMatchObject({ type: 'NoOtherNode', nonRetryable: true });
    expect(await on('b', ['h0']).reserve({ failed_on: ['a'] })).toMatchObject({ node: 'b' });
  });

  it('lets another node try where it has too few GPUs, and gives up once all had their turn', async () => {
    await expect(on('a', []).reserve()).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: false });
    const last = on('a', [], { attempt: 13 }).reserve();
    await expect(last).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: true });
    await expect(last).rejects.toThrow('placement: grpo needs 1 GPUs at once; node a has 0, and no node has more');
  });

  it('waits for a larger node that is busy or away, however often a small one was asked', async () => {
    await on('large', ['g0', 'g1']).reserve({ gpus: 2 });
    const small = on('small', [], { attempt: 99 }).reserve({ gpus: 2 });
    await expect(small).rejects.toMatchObject({ type: 'NotEnoughGpus', nonRetryable: false });
  });

  it('waits where nvidia-smi fails, however often it did, and keeps what the node last said', async () => {
    const smi = join(root, 'nvidia-smi');
    vi.stubEnv('PATH', `${root}:${process.env.PATH}`);
    writeFileSync(smi, '#!/bin/sh\necho GPU-1, 0, H100, 81559, 60000\n', { mode: 0o755 });
    await expect(on('a', null).reserve({ gpus: 2 })).rejects.toMatchObject({ type: 'NotEnoughGpus' });
    writeFileSync(smi, '#!/bin/sh\necho the driver hangs >&2\nexit 15\n');
    const failed = on('a', null, { attempt: 99 }).reserve();
    await expect(failed).rejects.toMatchObject({ type: 'GpusUnknown', nonRetryable: false });
    await expect(failed).rejects.toThrow('Node a: Expected `nvidia-smi');
    await expect(failed).rejects.toThrow('the driver hangs');
    expect(readFileSync(join(root, '.gavel/leases/a/gpu-count'), 'utf8')).toBe('1');
  });

  it.each([
    ['over', { default: { mine: 'running', other: 'completed' } }],
    ['unknown in its namespace', { default: { mine: 'running' } }],
  ] as [string, Known][])('breaks the lease of a workflow that is %s', async (_, known) => {
    await on('a', ['g0'], { owner: 'other' }).reserve();
    expect(await on('a', ['g0'], { known }).reserve()).toMatchObject({ gpus: ['g0'] });
  });

  it.each([
    ['that cannot be asked about', 'default', 'unreachable'],
    ['that runs in another namespace', 'team', { default: { mine: 'running' }, team: { other: 'running' } }],
    ['of a namespace that only another server knows', 'elsewhere', { default: { mine: 'running' } }],
  ] as [string, string, Known | 'unreachable'][])(
    'respects the lease of a workflow %s',
    async (_, namespace, known) => {
      await on('a', ['g0'], { owner: 'other', namespace }).reserve();
      const { reserve, cancel } = on('a', ['g0'], { known });
      const waiting = reserve();
      expect(await soon(waiting)).toBe('waits');
      cancel();
      await expect(waiting).rejects.toThrow();
    },
  );

  it.each([
    ['waits for attempt 2', 2],
    ['waits for no attempt', null],
  ])('changes nothing when it comes too late: the server %s', async (says, waits_for) => {
    await on('b', ['h0'], { attempt: 2 }).reserve();
    const late = on('a', ['g0'], { attempt: 1, waits_for }).reserve();
    await expect(late).rejects.toMatchObject({ type: 'AttemptGivenUp' });
    await expect(late).rejects.toThrow(says);
    expect(isLeased('b', 'h0')).toBe(true);
    expect(isLeased('a', 'g0')).toBe(false);
  });

  it('gives back what a silent worker may have leased for the same stage on its own node', async () => {
    await on('a', ['g0'], { attempt: 1 }).reserve();
    await on('b', ['h0'], { attempt: 2 }).reserve();
    expect(isLeased('a', 'g0')).toBe(false);
    expect(isLeased('b', 'h0')).toBe(true);
    await on('b', ['h0']).release();
    expect(isLeased('b', 'h0')).toBe(false);
  });
});

describe('releaseNode', () => {
  it('comes late and leaves the next reservation its GPUs', async () => {
    await on('a', ['g0']).reserve();
    await on('b', ['h0']).reserve({ reservation: 'run of mine.2' });
    await on('a', ['g0']).release('run of mine.1');
    expect(isLeased('b', 'h0')).toBe(true);
  });
});
