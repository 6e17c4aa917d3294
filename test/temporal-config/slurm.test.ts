import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { read, root, SHUTDOWN_S } from './files.ts';

const script = join(root, 'temporal-config/slurm/gpu-worker.sbatch');

// Says how it was called, and takes a while to end after a notice, as a worker with a checkpoint to write does.
const FAKE_WORKER = `
import { appendFileSync, existsSync } from 'node:fs';
const log = (line) => appendFileSync('worker.log', line + '\\n');
process.on('SIGTERM', () => {
  log('TERM');
  setTimeout(() => { log('gone'); process.exit(7); }, 700);
});
log('started ' + process.argv.slice(2).join(' '));
log('node ' + process.env.GAVEL_NODE);
if (existsSync('refuse')) process.exit(1);
// A test that fails leaves nothing behind.
setTimeout(() => process.exit(9), 30_000);
`;
const FAKE_SCONTROL = `#!/bin/sh
echo "$*" >> scontrol.log
case $1 in show) echo "JobId=42 JobState=$(cat state) Reason=None" ;; esac
`;

let clone: string;
let job: ChildProcess | undefined;
let ended: Promise<number | null>;
const log = (name: string) =>
  existsSync(join(clone, name)) ? readFileSync(join(clone, name), 'utf8').split('\n') : [];

async function until(what: string, holds: () => boolean) {
  for (let i = 0; i < 300; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`Expected within 15 s: ${what}`);
}

function start(env: Record<string, string> = {}) {
  job = spawn('bash', [script], {
    cwd: clone,
    env: {
      PATH: [clone, dirname(process.execPath), process.env.PATH].join(delimiter),
      GAVEL_ROOT: '/shared/gavel',
      TEMPORAL_ADDRESS: 'temporal.example.com:7233',
      SLURM_JOB_ID: '42',
      SLURMD_NODENAME: 'n1',
      ...env,
    },
    stdio: 'ignore',
  });
  const started = job;
  ended = new Promise((resolve) => started.on('exit', resolve));
  return ended;
}

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), 'gavel-slurm-'));
  mkdirSync(join(clone, 'bin'));
  writeFileSync(join(clone, 'bin/gavel.mjs'), FAKE_WORKER);
  writeFileSync(join(clone, 'scontrol'), FAKE_SCONTROL);
  chmodSync(join(clone, 'scontrol'), 0o755);
  writeFileSync(join(clone, 'state'), 'RUNNING');
});

afterEach(async () => {
  job?.kill('SIGTERM');
  await ended;
  rmSync(clone, { recursive: true, force: true });
});

describe('temporal-config/slurm/gpu-worker.sbatch', () => {
  it('is a script that bash understands', () => {
    execFileSync('bash', ['-n', script]);
  });

  it('asks Slurm for a notice that is long enough, for the batch shell alone, and to be requeued', () => {
    // Slurm stops reading at the first line that is a command.
    const head = read('temporal-config/slurm/gpu-worker.sbatch').split(/^[^#\n]/m)[0] ?? '';
    const options = [...head.matchAll(/^#SBATCH (--[\w-]+)(?:=(\S+))?$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(options)).toMatchObject({
      '--signal': expect.stringMatching(/^B:TERM@\d+$/),
      '--open-mode': 'append',
      '--nodes': '1',
      '--gpus-per-node': expect.stringMatching(/^\d+$/),
    });
    expect(options.map(([name]) => name)).toContain('--requeue');
    expect(Number(/B:TERM@(\d+)/.exec(head)?.[1])).toBeGreaterThan(SHUTDOWN_S);
  });

  it('hands a notice to the worker once, waits for it, and asks to be requeued', async () => {
    start({ SLURM_RESTART_COUNT: '2' });
    await until('worker started', () => log('worker.log').length > 2);
    job?.kill('SIGTERM');
    await until('worker told', () => log('worker.log').includes('TERM'));
    // Slurm sends a second one at the end of the grace time.
    job?.kill('SIGTERM');
    expect(await ended).toBe(7);
    const name = 'n1-42.2';
    expect(log('worker.log')).toEqual([
      `started worker --activities --node ${name}`,
      `node ${name}`,
      'TERM',
      'gone',
      '',
    ]);
    expect(log('scontrol.log')).toContain('requeue 42');
  });

  it('comes back under another name', async () => {
    start({ SLURM_RESTART_COUNT: '3' });
    await until('worker started', () => log('worker.log').length > 2);
    expect(log('worker.log')).toContain('node n1-42.3');
  });

  it.each(['CANCELLED', 'PENDING'])('does not requeue a job that Slurm calls %s', async (state) => {
    writeFileSync(join(clone, 'state'), state);
    start();
    await until('worker started', () => log('worker.log').length > 2);
    job?.kill('SIGTERM');
    expect(await ended).toBe(7);
    expect(log('worker.log')).toContain('gone');
    expect(log('scontrol.log').filter((line) => line.startsWith('requeue'))).toEqual([]);
  });

  it('ends with the status of a worker that ended by itself, and is not requeued', async () => {
    writeFileSync(join(clone, 'refuse'), '');
    expect(await start()).toBe(1);
    expect(log('scontrol.log')).toEqual([]);
  });

  it.each(['GAVEL_ROOT', 'TEMPORAL_ADDRESS'])('starts no worker without %s', async (variable) => {
    expect(await start({ [variable]: '' })).toBe(2);
    expect(log('worker.log')).toEqual([]);
  });
});
