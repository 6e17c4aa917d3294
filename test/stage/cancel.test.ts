import { expect, it, onTestFinished } from 'vitest';
import { isAlive } from '../../src/process/stat.ts';
import { MiniRun } from '../faults/check/mini-run.ts';

it('ends every process within the grace of a cancel and a second, although trainer and gateway both hang', async () => {
  const made = await new MiniRun([]).open();
  onTestFinished(() => made.close());
  made.hold(3);
  const cancel = new AbortController();
  const cancelled = new Error('cancelled');
  const change = { signal: cancel.signal, grace_ms: () => 1500, ended: () => cancelled };
  const attempt = made.attempt('a', 'r.1', change).catch((error: unknown) => error);
  await made.untilStep(1, 3);
  const pids = [made.trainer(1), made.gateway(1)].map(Number);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const began = performance.now();
  cancel.abort();
  await expect.poll(() => pids.filter(isAlive), { timeout: 10_000, interval: 50 }).toEqual([]);
  expect((performance.now() - began) / 1000).toBeLessThan(1.5 + 1.5 / 4 + 1);
  expect(await attempt).toBe(cancelled);
});
