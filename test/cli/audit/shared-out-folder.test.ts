import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type { AuditOptions } from '../../../src/cli/audit/options.ts';
import { onFullDisk } from '../../../src/cli/audit/out-folder.ts';
import { readRequest } from '../../../src/cli/audit/read-request.ts';
import { runAudit } from '../../../src/cli/audit/run-audit.ts';
import { loadConfig } from '../../../src/config.ts';
import { until } from '../../e2e/sandbox.ts';
import { audit as ofAnother } from '../../report/audit-fixture.ts';
import { cli, gavel } from '../gavel.ts';
import { placeWith } from './outside-audit.ts';

vi.setConfig({ testTimeout: 120_000 });

const closing = vi.hoisted(() => ({ error: null as Error | null }));
vi.mock('../../../src/gateway/server.ts', async (load) => {
  const real = await load<typeof import('../../../src/gateway/server.ts')>();
  const startGateway: typeof real.startGateway = async (...args) => {
    const gateway = await real.startGateway(...args);
    const close = async () => {
      await gateway.close();
      if (closing.error) throw closing.error;
    };
    return { ...gateway, close };
  };
  return { ...real, startGateway };
});

const place = placeWith(1);
const verdicts = place.write('verdicts.jsonl', '{"row_id": "row-0", "score": 3}\n');

/** Audits in this process, with a script in the place of Python. */
function audit(out: string, script: string, options: Partial<AuditOptions> = { grader: verdicts }) {
  const config = loadConfig({ ...place.env, GAVEL_PYTHON: place.program('python', script) });
  const defaults = { data: place.data, out, concurrency: 32, confidence: 0.95, confirmAbove: 1000 };
  return runAudit(config, readRequest(config, { ...defaults, ...options }));
}

const asking = { grader: 'http://127.0.0.1:1/v1', graderModel: 'g', rubric: place.rubric };
const outcome = (cause: string, message: string) =>
  `echo '${JSON.stringify({ status: 'failed', message, field: null, cause })}' > $3/outcome.json; exit 1`;

it('refuses a folder that another audit writes, by whatever name, until that one has ended', async () => {
  const out = join(place.folder, 'shared');
  const link = join(place.folder, 'link');
  mkdirSync(out);
  symlinkSync(out, link);
  const env = { ...place.env, GAVEL_PYTHON: place.program('slow', 'touch $3/begun; sleep 60') };
  const command = (folder: string) => ['audit', '--data', place.data, '--out', folder, '--grader', verdicts];
  const first = spawn(process.execPath, ['--no-warnings', cli, ...command(out)], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
    detached: true,
  });
  const dead = new Promise((resolve) => first.once('exit', resolve));
  await until('the first audit to begin', 60, async () => existsSync(join(out, 'begun')));
  const request = readFileSync(join(out, 'request.json'), 'utf8');
  const second = await gavel([...command(link), '--max-rows', '1'], env);
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`expected a folder that no other audit writes, found one at work in ${link}`);
  expect(readFileSync(join(out, 'request.json'), 'utf8')).toBe(request);

  process.kill(-(first.pid as number), 'SIGKILL');
  await dead;
  const fast = place.program('fast', outcome('crashed', 'no luck'));
  const third = await gavel(command(link), { ...env, GAVEL_PYTHON: fast });
  expect(third.stderr).toContain('no luck');
});

it('leaves no verdict of an earlier audit beside a request that failed', async () => {
  const out = join(place.folder, 'twice');
  mkdirSync(out);
  place.write('twice/audit.json', '{}');
  place.write('twice/report.html', 'PASS');
  await expect(audit(out, outcome('crashed', 'no luck'))).rejects.toThrow('no luck');
  expect(existsSync(join(out, 'audit.json'))).toBe(false);
  expect(existsSync(join(out, 'report.html'))).toBe(false);
});

it('reports no audit that answers another request', async () => {
  place.write('other.json', JSON.stringify({ ...ofAnother, request_digest: 'a'.repeat(64) }));
  const out = join(place.folder, 'other');
  const script = `cp ${join(place.folder, 'other.json')} $3/audit.json`;
  await expect(audit(out, script)).rejects.toThrow(/Expected .*audit\.json to answer the request/);
});

it('sends with the request which rows were counted', async () => {
  const out = join(place.folder, 'counted');
  await expect(audit(out, 'exit 1', asking)).rejects.toThrow('exit code 1');
  const sha256 = createHash('sha256').update(readFileSync(place.data)).digest('hex');
  expect(JSON.parse(place.read('counted/request.json')).rows_counted).toEqual({ count: 2, sha256 });
});

it('says of a full disk what is full and that the same command goes on, whatever else fails on it', async () => {
  const out = join(place.folder, 'full');
  closing.error = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const ended = onFullDisk(out, () => audit(out, outcome('disk_full', '[Errno 28] No space left: audit.json'), asking));
  await expect(ended).rejects.toMatchObject({
    code: 1,
    message: `Expected space for the audit in ${out}, found the disk full: [Errno 28] No space left: audit.json`,
    hint: expect.stringContaining('The same command again continues the audit'),
  });
  // The failure that came first is the one to act on.
  await expect(audit(out, outcome('crashed', 'no luck'), asking)).rejects.toThrow('no luck');
  closing.error = null;
  const full = () => Promise.reject(Object.assign(new Error('ENOSPC, write report.html'), { code: 'ENOSPC' }));
  await expect(onFullDisk(out, full)).rejects.toThrow('found the disk full: ENOSPC, write report.html');
});
