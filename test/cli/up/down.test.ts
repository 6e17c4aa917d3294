import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import type { UpState } from '../../../src/cli/up/state.ts';
import { processName } from '../../../src/process/stat.ts';
import { gavel, makeRoot } from '../gavel.ts';

const { root, remove } = makeRoot();
afterAll(remove);

/** `.gavel/up.json` of a `gavel up` with this process id. */
function noteUp(pid: number, process: string) {
  mkdirSync(join(root, '.gavel'), { recursive: true });
  const none = { server_pid: null, worker_pid: null, db: '', ready: true, started_at: '' };
  const state: UpState = { pid, process, ...none, address: '127.0.0.1:7233', ui: 'http://127.0.0.1:8233' };
  writeFileSync(join(root, '.gavel/up.json'), JSON.stringify(state));
}

function aProcess() {
  const child = spawn('sleep', ['60']);
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, pid: child.pid as number };
}

it('leaves a stranger alone who has got the process id of a `gavel up` that died', async () => {
  const { child, pid } = aProcess();
  noteUp(pid, `${pid}:1`);
  expect(await gavel(['down'], { GAVEL_ROOT: root })).toMatchObject({ code: 0, stdout: 'Nothing is up.\n' });
  expect(child.exitCode ?? child.signalCode).toBeNull();
});

it('interrupts the process that has been up since then', async () => {
  const { child, pid } = aProcess();
  noteUp(pid, processName(pid) as string);
  expect((await gavel(['down'], { GAVEL_ROOT: root })).stdout).toContain('Ended: server 127.0.0.1:7233');
  expect(child.signalCode).toBe('SIGINT');
});
