import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { GatewayConfig } from '../../src/contracts/gateway.ts';
import { type RunPaths, runPaths } from '../../src/run-directory/paths.ts';
import { publishEndpoint, readEndpoint } from '../../src/serving/endpoints.ts';
import { type GatewayChild, startGatewayChild } from '../../src/stage/gateway-child.ts';
import { InterruptionLog } from '../../src/stage/interruption-log.ts';
import { LiveView } from '../../src/stage/live-view.ts';

// Stands for the gateway: says its pid, and listens unless the file `mute` is in its epoch's folder.
const FAKE = `
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';

const [, , path] = process.argv;
const folder = dirname(path);
writeFileSync(join(folder, 'pid'), String(process.pid));
process.stdin.on('end', () => process.exit(0)).resume();
if (!existsSync(join(folder, 'mute'))) {
  const server = createServer((_, response) => response.writeHead(200).end());
  server.on('error', ({ message }) => {
    console.log(JSON.stringify({ event: 'failed', message }));
    process.exit(1);
  });
  server.listen(JSON.parse(readFileSync(path, 'utf8')).port, '127.0.0.1', () => {
    console.log(JSON.stringify({ event: 'listening', url: 'http://127.0.0.1:' + server.address().port }));
  });
}
`;
const NODE_LEAVING = new Error('what an aborted attempt ends with');

let root: string;
let paths: RunPaths;
let started: GatewayChild[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gavel-gateway-'));
  paths = runPaths(root, 'r');
  started = [];
  mkdirSync(paths.report.dir, { recursive: true });
  mkdirSync(join(root, 'src/gateway'), { recursive: true });
  writeFileSync(join(root, 'src/gateway/main.ts'), FAKE);
});
afterEach(async () => {
  for (const gateway of started) await gateway.stop(2000);
  rmSync(root, { recursive: true });
});

function attempt(epoch: number, { mute = false } = {}) {
  const { dir } = paths.stage('grpo').epoch(epoch);
  mkdirSync(dir, { recursive: true });
  if (mute) writeFileSync(join(dir, 'mute'), '');
  const stop = new AbortController();
  const start = async () => {
    const gateway = await startGatewayChild({
      signal: stop.signal,
      ended: () => NODE_LEAVING,
      config: { ...loadConfig(), root, package_root: root },
      gateway: GatewayConfig.parse({ run: 'r', run_dir: paths.dir, stage: 'grpo', epoch, roles: {} }),
      paths,
      stage: 'grpo',
      dir,
      logPath: paths.log(`gateway-grpo-e${epoch}`),
      tag: `gateway-test-${process.pid}/e${epoch}`,
      secrets: {},
      live: new LiveView('grpo', epoch, () => undefined),
      interruptions: new InterruptionLog(paths.report.interruptions, 'grpo', () => undefined),
    });
    started.push(gateway);
    return gateway;
  };
  const pid = () =>
    vi.waitFor(
      () => {
        const text = readFileSync(join(dir, 'pid'), 'utf8');
        // A number that is not yet written must not become the pid 0, which is this process's own group.
        expect(text).toMatch(/^[1-9]\d*$/);
        return Number(text);
      },
      { timeout: 20_000 },
    );
  return { dir, stop, start, pid };
}

const isGone = (pid: number) => !existsSync(`/proc/${pid}/cmdline`);
const published = async () => (await readEndpoint(paths, 'gateway-grpo'))?.base_url ?? null;

describe('startGatewayChild', () => {
  it('ends with what an abort ends the attempt with while it starts, and leaves no process', async () => {
    const { stop, start, pid } = attempt(1, { mute: true });
    const ended = start().catch((error: unknown) => error);
    const gateway = await pid();
    stop.abort(new Error('WORKER_SHUTDOWN'));
    expect(await ended).toBe(NODE_LEAVING);
    expect(isGone(gateway)).toBe(true);
    expect(await published()).toBeNull();
  });

  it('starts nothing where the attempt has been aborted already', async () => {
    const { dir, stop, start } = attempt(1);
    stop.abort(new Error('cancelled'));
    await expect(start()).rejects.toBe(NODE_LEAVING);
    expect(existsSync(join(dir, 'gateway.json'))).toBe(false);
  });

  it('reports its death where it was not aborted', async () => {
    const { start, pid } = attempt(1, { mute: true });
    const ended = start().catch((error: unknown) => error);
    process.kill(await pid(), 'SIGKILL');
    expect(await ended).toMatchObject({ type: 'ModelServerDied', message: expect.stringContaining('SIGKILL') });
  });

  it('is no reason to end a trainer that commits where an abort finds it starting again', async () => {
    const { dir, stop, start, pid } = attempt(1);
    const gateway = await start();
    const gone = vi.fn();
    gateway.gone.catch(gone);
    const first = await pid();
    rmSync(join(dir, 'pid'));
    writeFileSync(join(dir, 'mute'), '');
    process.kill(first, 'SIGKILL');
    const second = await pid();
    stop.abort(new Error('WORKER_SHUTDOWN'));
    await gateway.stop(2000);
    await sleep(100);
    expect(gone).not.toHaveBeenCalled();
    expect(isGone(second)).toBe(true);
  });

  it('is stopped within its grace also while it is started again', async () => {
    const { dir, start, pid } = attempt(1);
    const gateway = await start();
    const first = await pid();
    rmSync(join(dir, 'pid'));
    writeFileSync(join(dir, 'mute'), '');
    process.kill(first, 'SIGKILL');
    const second = await pid();
    const began = performance.now();
    await gateway.stop(375);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(isGone(second)).toBe(true);
  });

  it('starts on another port, and says where, once another process has taken its own', async () => {
    const { start, pid } = attempt(1);
    const { url, gone } = await start();
    gone.catch(() => undefined);
    const taken = createServer();
    onTestFinished(() => void taken.close());
    process.kill(await pid(), 'SIGKILL');
    // Takes the port the moment that it is free.
    const take = () => taken.listen(Number(new URL(url).port), '127.0.0.1');
    taken.on('error', () => setTimeout(take, 1));
    take();
    await vi.waitFor(() => expect(taken.listening).toBe(true));
    await vi.waitFor(async () => expect([null, `${url}/v1`]).not.toContain(await published()), { timeout: 20_000 });
    expect((await fetch((await published()) as string)).ok).toBe(true);
  });

  it('is killed after the grace that it is given where it hangs, so that a cancel does not wait for it', async () => {
    const { start, pid } = attempt(1);
    const gateway = await start();
    process.kill(await pid(), 'SIGSTOP');
    const began = performance.now();
    await gateway.stop(375);
    expect(performance.now() - began).toBeLessThan(1500);
    expect(isGone(await pid())).toBe(true);
  });

  it('publishes nothing where a newer epoch has been taken', async () => {
    const old = attempt(1);
    const now = attempt(2);
    const { url } = await now.start();
    await old.start();
    expect(await published()).toBe(`${url}/v1`);
  });

  it('puts its endpoint back where an older one has overwritten it', async () => {
    const { start } = attempt(1);
    const { url } = await start();
    const own = await readEndpoint(paths, 'gateway-grpo');
    if (own === null) throw new Error('Expected an endpoint.');
    await publishEndpoint(paths, 'gateway-grpo', { ...own, base_url: 'http://127.0.0.1:1/v1' });
    await vi.waitFor(async () => expect(await published()).toBe(`${url}/v1`), { timeout: 20_000 });
  });
});
