import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { UpState } from '../../../src/cli/up/state.ts';
import { freePort } from '../../../src/process/ports.ts';
import { isAlive } from '../../../src/process/stat.ts';
import { cli, gavel, makeRoot } from '../gavel.ts';

const { root, remove } = makeRoot();
let running: ChildProcess | null = null;
afterAll(() => {
  running?.kill('SIGKILL');
  remove();
});

const state = (): UpState | null => {
  try {
    return JSON.parse(readFileSync(join(root, '.gavel/up.json'), 'utf8'));
  } catch {
    return null;
  }
};

async function start(): Promise<{ ended: Promise<number | null>; said: () => string }> {
  const env: Record<string, string | undefined> = { ...process.env, GAVEL_ROOT: root };
  delete env.TEMPORAL_ADDRESS;
  const ports = ['--port', String(await freePort()), '--ui-port', String(await freePort())];
  const child = spawn(process.execPath, ['--no-warnings', cli, 'up', ...ports], { env });
  running = child;
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  // Bundling the workflows takes seconds, and longer beside other tests.
  await expect.poll(() => state()?.ready ?? said, { timeout: 120_000, interval: 200 }).toBe(true);
  return { ended, said: () => said };
}

describe('gavel up', () => {
  it('starts server and worker, starts a killed worker again, and leaves nothing behind', {
    timeout: 300_000,
  }, async () => {
    const { ended, said } = await start();
    const { server_pid, worker_pid, address } = state() as UpState;
    expect(said()).toContain(`Temporal server  ${address}`);

    const second = await gavel(['up'], { GAVEL_ROOT: root });
    expect(second.code).toBe(1);
    expect(second.stderr).toContain('gavel is up already');

    process.kill(worker_pid as number, 'SIGKILL');
    await expect.poll(() => said(), { timeout: 120_000 }).toContain('The worker is back.');
    expect(said()).toContain('The worker was ended by SIGKILL; starting it again in 1 s.');
    const next = state()?.worker_pid as number;
    expect(next).not.toBe(worker_pid);

    const down = await gavel(['down'], { GAVEL_ROOT: root });
    expect(down).toMatchObject({ code: 0 });
    expect(await ended).toBe(0);
    expect([server_pid as number, next].filter(isAlive)).toEqual([]);
    expect(state()).toBeNull();
  });

  it('takes server and worker with it even when it is killed', { timeout: 300_000 }, async () => {
    await start();
    const { server_pid, worker_pid } = state() as UpState;
    running?.kill('SIGKILL');
    await expect
      .poll(() => [server_pid as number, worker_pid as number].filter(isAlive), { timeout: 20_000 })
      .toEqual([]);
  });

  it('names the port that is taken and the option that chooses another', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const { code, stderr } = await gavel(['up', '--port', String(port)], { GAVEL_ROOT: makeRoot().root });
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 is taken by pid ${process.pid}`);
    expect(stderr).toContain('--port PORT');
  });
});
