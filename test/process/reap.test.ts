import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ownName, reapOlderAttempts, reapOrphans } from '../../src/process/reap.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { nodeTag, stageTag } from '../../src/stage/tags.ts';

/** Leftovers are found by what they were started for, and by whom. */

const lifeline = fileURLToPath(new URL('../fixtures/children/stubborn.mjs', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'gavel-reap-'));
const paths = runPaths(root, 'r');
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

async function process_(tag: string, owner = ownName()): Promise<ChildProcess> {
  const env = { PATH: process.env.PATH, GAVEL_TAG: tag, GAVEL_OWNER: owner };
  const child = spawn(process.execPath, [lifeline], { env, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  started.push(child);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  return child;
}

const isGone = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;
const gone = (child: ChildProcess) => vi.waitFor(() => expect(isGone(child)).toBe(true), { timeout: 15_000 });

describe.skipIf(process.platform !== 'linux')('leftovers', () => {
  it('of older attempts at a stage are ended; newer ones, other stages and other nodes are spared', async () => {
    const grpo = stageTag('a', paths, 'grpo');
    const older = [await process_(`${grpo}/e1`), await process_(`${grpo}/e2/gateway`)];
    const spared = [
      await process_(`${grpo}/e3`),
      await process_(`${grpo}/e12`),
      await process_(`${grpo}/vllm-judge`),
      await process_(`${stageTag('a', paths, 'sft')}/e1`),
      await process_(`${stageTag('b', paths, 'grpo')}/e1`),
    ];
    expect(await reapOlderAttempts(grpo, 3)).toBe(2);
    for (const child of older) await gone(child);
    expect(spared.map(isGone)).toEqual(spared.map(() => false));
  });

  it('of dead workers are ended; those of a living one are not, nor those of another node', async () => {
    const tag = `${stageTag('a', paths, 'grpo')}/e1`;
    const orphan = await process_(tag, '4194303:1');
    // A pid that was given to another process since: it started at another time.
    const reused = await process_(tag, `${process.pid}:1`);
    const owned = await process_(tag);
    const elsewhere = await process_(`${stageTag('b', paths, 'grpo')}/e1`, '4194303:1');
    expect(await reapOrphans(nodeTag('a', root))).toBe(2);
    await gone(orphan);
    await gone(reused);
    expect([owned, elsewhere].map(isGone)).toEqual([false, false]);
  });
});
