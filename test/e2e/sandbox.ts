import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { TAG } from '../../src/process/environment.ts';
import { freePort } from '../../src/process/ports.ts';
import { createRoot } from '../../src/run-directory/root.ts';

/** A GAVEL_ROOT of the test's own with the shipped models and examples in it, and the real `gavel` run on it. */

const package_root = fileURLToPath(new URL('../..', import.meta.url));

export interface Sandbox {
  root: string;
  address: string;
  gavel(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Starts `gavel` in the background; its output is collected. */
  start(...args: string[]): { process: ChildProcess; output: () => string };
  temporal(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  /** Process ids of everything that belongs to this root and still runs. */
  leftovers(): number[];
  /** Runs `gavel up` in the background until `stop`; resolves once the worker polls. */
  up(): Promise<{ process: ChildProcess; output: () => string; stop(): Promise<void> }>;
  close(): void;
}

export async function openSandbox(): Promise<Sandbox> {
  const root = mkdtempSync(join(tmpdir(), 'gavel-e2e-'));
  await createRoot(root);
  for (const folder of ['models', 'examples']) symlinkSync(join(package_root, folder), join(root, folder));
  const address = `127.0.0.1:${await freePort()}`;
  const env = { ...process.env, GAVEL_ROOT: root, TEMPORAL_ADDRESS: address, NO_COLOR: '1', GAVEL_API_KEY: 'e2e-key' };
  const cli = join(package_root, 'src/cli.ts');
  const temporal = join(package_root, '.venv/bin/temporal');
  const run = async (command: string, args: string[]) => {
    const { exitCode, stdout, stderr } = await execa(command, args, { env, cwd: root, reject: false, stdin: 'ignore' });
    return { code: exitCode ?? -1, stdout, stderr };
  };
  const start: Sandbox['start'] = (...args) => {
    const child = spawn(process.execPath, ['--no-warnings', cli, ...args], {
      env,
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    child.stderr.on('data', (chunk) => (text += chunk));
    return { process: child, output: () => text };
  };
  return {
    root,
    address,
    start,
    up: async () => {
      const up = start('up', '--port', address.split(':')[1] ?? '', '--ui-port', String(await freePort()));
      const over = () => up.process.exitCode !== null || up.process.signalCode !== null;
      const state = join(root, '.gavel/up.json');
      await until('gavel up to be ready', 120, async () => {
        if (over()) throw new Error(up.output());
        return existsSync(state) && JSON.parse(readFileSync(state, 'utf8')).ready;
      });
      const stop = async () => {
        if (!over()) up.process.kill('SIGINT');
        await until('gavel up to end', 60, async () => over());
      };
      return { ...up, stop };
    },
    gavel: (...args) => run(process.execPath, ['--no-warnings', cli, ...args]),
    temporal: (...args) => run(temporal, ['--address', address, ...args]),
    leftovers: () => processesOf(root),
    close: () => rmSync(root, { recursive: true, force: true }),
  };
}

function processesOf(root: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`GAVEL_ROOT=${root}`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Process id of the one whose tag ends in `tag`, its descendants aside; null where there is none. */
export function taggedWith(tag: string): number | null {
  const tagged = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return new RegExp(`${TAG}=[^\0]*${tag}\0`).test(readFileSync(`/proc/${pid}/environ`, 'latin1'));
      } catch {
        return false;
      }
    })
    .map(Number);
  return tagged.length === 0 ? null : Math.min(...tagged);
}

/** Asks until the answer is there; throws what it waited for, and the last that it saw, when time is up. */
export async function until<T>(
  what: string,
  seconds: number,
  ask: () => Promise<T | null | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s for ${what}`);
    await sleep(500);
  }
}
