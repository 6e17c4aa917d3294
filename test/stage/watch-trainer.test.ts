import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { findTagged } from '../../src/process/reap.ts';
import { type Child, startChild } from '../../src/process/start-child.ts';
import { type RunPaths, runPaths } from '../../src/run-directory/paths.ts';
import { requestStop } from '../../src/run-directory/stop.ts';
import { LiveView } from '../../src/stage/live-view.ts';
import { watchTrainer } from '../../src/stage/watch-trainer.ts';
import { spec } from '../workflows/environment.ts';

const fixtures = fileURLToPath(new URL('../fixtures/children/', import.meta.url));
const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
const TAG = `watch-${process.pid}`;
let folder: string;
let paths: RunPaths;
let child: Child;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gavel-watch-'));
  paths = runPaths(folder, 'r');
  mkdirSync(paths.stage('grpo').dir, { recursive: true });
});
afterEach(async () => {
  await child.stop(0);
  rmSync(folder, { recursive: true });
});

function start(file: string, launcher: string[] = []): Promise<void> {
  const ready = Promise.withResolvers<void>();
  const command = file.endsWith('.py') ? python : process.execPath;
  const logPath = join(folder, 'log');
  const onEvent = () => ready.resolve();
  child = startChild({
    name: 'trainer',
    command,
    args: [...launcher, join(fixtures, file)],
    cwd: folder,
    // A launcher that is killed leaves its folder of logs.
    env: { TMPDIR: folder },
    logPath,
    tag: TAG,
    onEvent,
  });
  return ready.promise;
}

function watch({
  floor_s = 60,
  abort = new AbortController(),
  grace_ms = 0,
  gone = undefined as Promise<never> | undefined,
} = {}) {
  const limits = { ...Spec.parse(spec).limits, progress_floor_s: floor_s, load_timeout_s: floor_s };
  const live = new LiveView('grpo', 1, () => undefined);
  const events = { take: () => undefined, settled: async () => undefined, onHeard: () => undefined };
  const run = { signal: abort.signal, grace_ms: () => grace_ms, reservation: 'r.2' };
  return { live, ended: watchTrainer({ child, paths, stage: 'grpo', run, live, limits, gone, events }) };
}

describe('watchTrainer', () => {
  it('says that a trainer ended by itself', async () => {
    await start('prints.mjs');
    expect(await watch().ended).toMatchObject({ why: 'itself', exit: { code: 3 } });
  });

  it('passes a stop that is asked for on, with its reason', async () => {
    await start('lifeline.mjs');
    const { ended } = watch();
    await requestStop(paths, 'grpo', 'r.2', 'node a will be taken away');
    expect(await ended).toMatchObject({
      why: 'stop',
      reason: 'node a will be taken away',
      exit: { signal: 'SIGTERM' },
    });
  });

  it('leaves a trainer alone where a late stop names another reservation', async () => {
    await start('lifeline.mjs');
    const abort = new AbortController();
    const { ended } = watch({ abort });
    await requestStop(paths, 'grpo', 'r.1', 'paused on request');
    await requestStop(paths, 'grpo', 'r.3', 'paused on request');
    const first = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 800, 'runs on'))]);
    expect(first).toBe('runs on');
    abort.abort();
    expect((await ended).why).toBe('aborted');
  });

  it('ends a trainer that is stuck, with its stacks in the log', async () => {
    await start('stuck.py');
    const ended = await watch({ floor_s: 1 }).ended;
    expect(ended).toMatchObject({
      why: 'hung',
      message: expect.stringMatching(/no progress for \d+ s.*stacks are in the log/),
    });
    expect(readFileSync(join(folder, 'log'), 'utf8')).toContain('waits_for_ever');
  });

  it('ends ranks that are deadlocked in a collective, with the stacks of all', { timeout: 120_000 }, async () => {
    await start('deadlocked.py', ['-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2']);
    expect(await watch({ floor_s: 1 }).ended).toMatchObject({ why: 'hung' });
    const log = readFileSync(join(folder, 'log'), 'utf8');
    const [, first, second] = log.split(/^gavel: the stacks of process .*$/m);
    // Which rank is the first depends on their process ids.
    expect([first, second].filter((stacks) => stacks?.includes('in never_joins'))).toHaveLength(1);
    expect([first, second].filter((stacks) => stacks?.includes('in barrier'))).toHaveLength(1);
    expect(await findTagged(TAG)).toEqual([]);
  });

  it('leaves a trainer that waits and says so alone', async () => {
    await start('lifeline.mjs');
    const { live, ended } = watch({ floor_s: 1 });
    live.update({ waiting: { for: 'judge', seconds: 5 } });
    const first = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2500, 'still there'))]);
    expect(first).toBe('still there');
  });

  it('ends with the attempt, and when its gateway cannot be kept alive', async () => {
    await start('lifeline.mjs');
    const abort = new AbortController();
    const { ended } = watch({ abort });
    abort.abort();
    expect(await ended).toMatchObject({ why: 'aborted' });
    await start('lifeline.mjs');
    const error = new Error('the gateway did not start');
    expect(await watch({ gone: Promise.reject(error) }).ended).toMatchObject({ why: 'gateway', error });
  });
});
