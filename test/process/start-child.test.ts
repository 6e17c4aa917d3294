import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test, vi } from 'vitest';
import { diesWithParent } from '../../src/process/dies-with-parent.ts';
import { reapTagged } from '../../src/process/reap.ts';
import { type Child, startChild } from '../../src/process/start-child.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const children = fileURLToPath(new URL('../fixtures/children', import.meta.url));
const python = fileURLToPath(new URL('../../.venv/bin/python', import.meta.url));
/** A prefix of the tags of this file's children only. */
const ours = `process-test-${process.pid}`;
type Event = { event: string; [key: string]: unknown };

/** Starts a fixture under a tag of its own; its end is the test's. */
async function start(file: string, args: string[] = [], env: Record<string, string> = {}) {
  const folder = temporaryFolder('process');
  const events: Event[] = [];
  const child = startChild({
    name: file,
    command: file.endsWith('.py') ? python : process.execPath,
    args: [join(children, file), ...args],
    cwd: folder,
    env,
    logPath: join(folder, 'logs', 'child.log'),
    tag: `${ours}/${folder.slice(-6)}`,
    onEvent: (event) => events.push(event),
  });
  onTestFinished(async () => void (await child.stop(0)));
  const seen = async (event: string) => {
    await vi.waitFor(() => expect(events.map((one) => one.event)).toContain(event), { timeout: 10_000, interval: 10 });
    return events.find((one) => one.event === event) as Event;
  };
  return { child, events, seen, tag: `${ours}/${folder.slice(-6)}` };
}

/** Not there, or only as a zombie that its parent has not waited for (its parent, here, may be a container's lax init). */
function isGone(pid: unknown) {
  try {
    return / [XZ] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

const milliseconds = async (work: Promise<unknown>) => {
  const start = performance.now();
  await work;
  return performance.now() - start;
};

test('passes events on and writes every other line, and standard error, to the log', async () => {
  const { child, events } = await start('prints.mjs');
  expect(await child.exited).toMatchObject({ code: 3, signal: null, seconds: expect.any(Number) });
  expect(events.map(({ event }) => event)).toEqual(['progress', 'environment', 'last']);
  const log = await readFile(child.logPath, 'utf8');
  for (const line of ['plain words', '{"no_event": true}', '{"event": torn', 'words on standard error']) {
    expect(log).toContain(`${line}\n`);
  }
});

test('gives a child only the environment that it was meant to have', async () => {
  process.env.SOME_SECRET_KEY = 'sk-not-for-children';
  process.env.CUDA_VISIBLE_DEVICES = '3';
  onTestFinished(() => {
    delete process.env.SOME_SECRET_KEY;
    delete process.env.CUDA_VISIBLE_DEVICES;
  });
  const { child, events, tag } = await start('prints.mjs', [], { GIVEN: 'yes' });
  await child.exited;
  const env = events.find(({ event }) => event === 'environment')?.env as Record<string, string>;
  expect(env).toMatchObject({ GIVEN: 'yes', GAVEL_TAG: tag, CUDA_VISIBLE_DEVICES: '3', PATH: process.env.PATH });
  expect(env).not.toHaveProperty('SOME_SECRET_KEY');
});

test('an event that its reader refuses ends nothing and is in the log', async () => {
  const folder = temporaryFolder('process');
  const child = startChild({
    name: 'prints',
    command: process.execPath,
    args: [join(children, 'prints.mjs')],
    cwd: folder,
    env: {},
    logPath: join(folder, 'log'),
    tag: 'test/refusing',
    onEvent: () => {
      throw new Error('not by contract');
    },
  });
  expect((await child.exited).code).toBe(3);
  expect(await readFile(child.logPath, 'utf8')).toContain('not by contract');
});

test.each([
  ['/no/such/program', tmpdir(), 'Cannot start the trainer: there is no program /no/such/program'],
  [process.execPath, '/no/such/folder', 'Cannot start the trainer: there is no folder /no/such/folder.'],
])('says plainly that %s in %s cannot be started', (command, cwd, message) => {
  const options = {
    name: 'the trainer',
    command,
    args: [],
    cwd,
    env: {},
    tag: 't',
    logPath: join(temporaryFolder('process'), 'log'),
  };
  expect(() => startChild(options)).toThrow(message);
});

test('stops a willing child at once with TERM', async () => {
  const { child, seen } = await start('lifeline.mjs');
  await seen('ready');
  expect(await milliseconds(child.stop(60_000))).toBeLessThan(30_000);
  expect(await child.exited).toMatchObject({ code: null, signal: 'SIGTERM' });
});

test('kills a stubborn child after its grace', async () => {
  const { child, seen } = await start('stubborn.mjs');
  await seen('ready');
  expect(await milliseconds(child.stop(500))).toBeGreaterThan(450);
  expect(await seen('heard')).toBeTruthy();
  expect(await child.exited).toMatchObject({ code: null, signal: 'SIGKILL' });
});

test('a second stop can shorten the grace of the first', async () => {
  const { child, seen } = await start('stubborn.mjs');
  await seen('ready');
  const patient = child.stop(60_000);
  await seen('heard');
  expect(await milliseconds(child.stop(0))).toBeLessThan(30_000);
  await patient;
});

test('kills a grandchild in a session of its own when its parent is stopped', async () => {
  const { child, seen } = await start('family.mjs', ['wait']);
  const { grandchild } = await seen('ready');
  expect(isGone(grandchild)).toBe(false);
  await child.stop(200);
  expect(isGone(grandchild)).toBe(true);
});

test('reaps what a crashed child leaves, in other sessions too, before it says that the child is gone', async () => {
  const { child, seen } = await start('family.mjs', ['crash']);
  const { grandchild } = await seen('ready');
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(isGone(grandchild)).toBe(true);
});

test('a rank that still saves when its launcher has ended gets the rest of the grace', async () => {
  const { child, seen } = await start('family.mjs', ['end-while-saving']);
  const { grandchild } = await seen('ready');
  const stopped = child.stop(10_000);
  await sleep(300);
  expect(isGone(grandchild)).toBe(false);
  await stopped;
  expect(isGone(grandchild)).toBe(true);
});

test.skipIf(process.platform !== 'linux' || !existsSync(python))(
  'asks the ranks behind a launcher to end, and not the launcher',
  async () => {
    const folder = temporaryFolder('process');
    const events: Event[] = [];
    // A launcher that dies of SIGTERM at once, with a trainer that writes its stacks on SIGUSR1, as gavel's do.
    const script = `trap 'exit 9' TERM; '${python}' '${join(children, 'stuck.py')}' & wait $!; echo '{"event":"rank","code":'$?'}'; exit 1`;
    const child = startChild({
      name: 'trainer',
      ask: 'ranks',
      command: '/bin/sh',
      args: ['-c', script],
      cwd: folder,
      env: {},
      tag: `${ours}/ranks`,
      logPath: join(folder, 'log'),
      onEvent: (event) => events.push(event),
    });
    onTestFinished(async () => void (await child.stop(0)));
    await vi.waitFor(() => expect(events).toHaveLength(1), { timeout: 10_000 });
    expect(await child.stop(10_000)).toMatchObject({ code: 1 });
    expect(events[1]).toMatchObject({ event: 'rank' });
  },
);

test('ending one child spares another with the same tag', async () => {
  const one = await start('lifeline.mjs');
  const events: Event[] = [];
  const other: Child = startChild({
    name: 'gateway',
    command: process.execPath,
    args: [join(children, 'lifeline.mjs')],
    cwd: tmpdir(),
    env: {},
    tag: one.tag,
    logPath: one.child.logPath,
    onEvent: (event) => events.push(event),
  });
  await one.seen('ready');
  await one.child.stop(1000);
  expect(isGone(other.pid)).toBe(false);
  await other.stop(1000);
});

// Processes in other sessions are found through /proc.
const linux = test.skipIf(process.platform !== 'linux');

linux('kills a grandchild in a session of its own by its tag', async () => {
  const { child, seen, tag } = await start('family.mjs', ['wait']);
  const { grandchild } = await seen('ready');
  expect(await reapTagged(`${tag}-other`)).toBe(0);
  expect(await reapTagged(ours)).toBeGreaterThanOrEqual(2);
  expect(isGone(grandchild)).toBe(true);
  expect((await child.exited).signal).toBe('SIGKILL');
});

test.skipIf(process.platform !== 'linux' || !existsSync(python))(
  'finds a process that has renamed itself over its own environment',
  async () => {
    const { seen, tag } = await start('titled.py');
    const { grandchild } = await seen('ready');
    await reapTagged(tag);
    expect(isGone(grandchild)).toBe(true);
  },
);

test.each([
  ['reads its standard input', 'ready', [process.execPath, join(children, 'lifeline.mjs')]],
  ['has not come to that yet', 'started', ['/bin/sleep', '60']],
])('a child that %s dies with its parent when that is killed with SIGKILL', async (_, event, command) => {
  const folder = temporaryFolder('process');
  const [program = '', ...rest] = command;
  const args = [program, join(folder, 'log'), ...rest];
  const worker = spawn(process.execPath, [join(children, 'worker.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) =>
    createInterface({ input: worker.stdout }).on('line', (line) => {
      const said = JSON.parse(line);
      if (said.event === event) resolve(said.pid);
    }),
  );
  expect(isGone(pid)).toBe(false);
  worker.kill('SIGKILL');
  await vi.waitFor(() => expect(isGone(pid)).toBe(true), { timeout: 10_000, interval: 10 });
});

test('a child whose parent died before it asked the kernel for a signal ends at once', async () => {
  const [program, args] = diesWithParent('/bin/sleep', ['60']);
  const orphaned = args.map((arg) => (arg === String(process.pid) ? '1' : arg));
  const child = spawn(program, orphaned, { stdio: 'ignore' });
  const [code] = await once(child, 'exit');
  expect(code).toBe(143);
});
