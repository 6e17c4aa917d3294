import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { Spec } from '../../src/contracts/spec/spec.ts';
import type { Heartbeat } from '../../src/contracts/status.ts';
import { type RunPaths, runPaths } from '../../src/run-directory/paths.ts';
import { publishEndpoint, readEndpoint } from '../../src/serving/endpoints.ts';
import { readKey } from '../../src/serving/key-file.ts';
import { serveUntilAborted } from '../../src/stage/model-server.ts';
import { spec } from '../workflows/environment.ts';

// What hangs in the kernel cannot be made by a test: this one is killed, and said to live.
const reaping = vi.hoisted(() => ({ stuck: false }));
vi.mock('../../src/process/reap.ts', async (original) => {
  const real = await original<typeof import('../../src/process/reap.ts')>();
  const stuck = async (killed: number) => {
    if (reaping.stuck) throw new real.ProcessStuck('Expected processes 7 to end, got them still alive.');
    return killed;
  };
  return {
    ...real,
    killUntilGone: async (look: () => number[]) => stuck(await real.killUntilGone(look)),
    reapTagged: async (tag: string) => stuck(await real.reapTagged(tag)),
  };
});

const fakeVllm = fileURLToPath(new URL('../fixtures/children/fake_vllm.mjs', import.meta.url));
const ENDED = new Error('what an aborted attempt ends with');

let root: string;
let paths: RunPaths;
let servers: { abort: () => Promise<unknown> }[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gavel-serve-'));
  paths = runPaths(root, 'r');
  servers = [];
  writeFileSync(join(root, 'python'), `#!/bin/sh\nexec '${process.execPath}' '${fakeVllm}' "$@"\n`);
  chmodSync(join(root, 'python'), 0o755);
});
afterEach(async () => {
  reaping.stuck = false;
  for (const server of servers) await server.abort();
  rmSync(root, { recursive: true });
});

/** Serves the judge on `node` from a model folder of its own. */
function serve(node: string, order?: number, endpoint?: string) {
  const folder = join(root, `models/${node}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{}');
  const stop = new AbortController();
  let seen: Heartbeat | null = null;
  const served = serveUntilAborted({
    run: 'r',
    stage: 'grpo',
    served: { role: 'judge', engine: 'vllm', model: folder, revision: null, serve: Spec.parse(spec).judge.serve },
    gpus: [],
    start_timeout_s: 60,
    served_before: false,
    config: { ...loadConfig(), root, node, python: join(root, 'python') },
    paths,
    attempt: 1,
    ...(order !== undefined && { order }),
    ...(endpoint !== undefined && { endpoint }),
    signal: stop.signal,
    ended: () => ENDED,
    beat: (beat) => {
      seen = structuredClone(beat);
    },
    onInterruption: () => undefined,
  });
  const end: Promise<unknown> = served.catch((error: unknown) => error);
  const vllm = () => seen?.processes.find(({ role }) => role === 'vllm')?.pid ?? null;
  const server = {
    folder,
    end,
    vllm,
    load: () => writeFileSync(join(folder, 'loaded'), ''),
    abort: async () => {
      stop.abort(ENDED);
      return end;
    },
    started: () => vi.waitFor(() => expect(vllm()).not.toBeNull(), { timeout: 20_000 }),
    isPublished: () =>
      vi.waitFor(async () => expect((await readEndpoint(paths, endpoint ?? 'judge'))?.pid).toBe(vllm()), {
        timeout: 20_000,
      }),
  };
  servers.push(server);
  return server;
}

const isGone = (pid: number | null) => pid !== null && !existsSync(`/proc/${pid}/cmdline`);

async function timed(work: Promise<unknown>) {
  const start = performance.now();
  return { value: await work, seconds: (performance.now() - start) / 1000 };
}

describe('serveUntilAborted', () => {
  it('publishes its endpoint while it serves and withdraws it', async () => {
    const a = serve('a', 1000);
    await a.started();
    expect(await readEndpoint(paths, 'judge')).toBeNull();
    a.load();
    await a.isPublished();
    expect(await a.abort()).toBe(ENDED);
    expect(await readEndpoint(paths, 'judge')).toBeNull();
    expect(isGone(a.vllm())).toBe(true);
  });

  it('gives vLLM a key that gateways on the machine can read, and that is in no command line and no file of the run', async () => {
    const a = serve('a', 1000);
    a.load();
    await a.isPublished();
    const file = (await readEndpoint(paths, 'judge'))?.api_key_file ?? '';
    const key = readKey(file);
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(statSync(dirname(file)).mode & 0o077).toBe(0);
    expect(readFileSync(`/proc/${a.vllm()}/environ`, 'utf8')).toContain(`VLLM_API_KEY=${key}\0`);
    expect(readFileSync(`/proc/${a.vllm()}/cmdline`, 'utf8')).not.toContain(key);
    for (const name of readdirSync(paths.dir, { recursive: true, encoding: 'utf8' })) {
      const path = join(paths.dir, name);
      if (statSync(path).isFile()) expect(readFileSync(path, 'utf8')).not.toContain(key);
    }
    await a.abort();
    expect(existsSync(dirname(file))).toBe(false);
  });

  it('takes the sockets of a vLLM that was killed with it', async () => {
    const a = serve('a', 1000);
    a.load();
    await a.isPublished();
    const environment = readFileSync(`/proc/${a.vllm()}/environ`, 'utf8');
    const sockets = /VLLM_RPC_BASE_PATH=([^\0]+)/.exec(environment)?.[1] ?? '';
    expect(readdirSync(sockets)).toHaveLength(1);
    process.kill(a.vllm() as number, 'SIGKILL');
    expect(await a.end).toMatchObject({ type: 'ModelServerDied' });
    expect(existsSync(sockets)).toBe(false);
  });

  it('leaves neither sockets nor a key behind where vLLM cannot be started at all', async () => {
    mkdirSync(dirname(paths.logs), { recursive: true });
    // A file where the folder of the logs has to be.
    writeFileSync(paths.logs, '');
    // A long name of the folder for temporary files puts sockets into /tmp.
    const own = () =>
      [tmpdir(), '/tmp'].flatMap((folder) => readdirSync(folder)).filter((name) => name.includes(`-${process.pid}-`));
    const before = own();
    expect(await serve('a', 1000).end).toMatchObject({ code: 'EEXIST' });
    expect(own()).toEqual(before);
  });

  it('ends, and leaves the endpoint of the newer one alone, where it loads while another takes over', async () => {
    const a = serve('a', 1000);
    await a.started();
    const b = serve('b', 2000);
    b.load();
    await b.isPublished();
    const published = await readEndpoint(paths, 'judge');
    a.load();
    expect(await a.end).toMatchObject({ type: 'AttemptGivenUp', message: expect.stringContaining('on node a') });
    expect(isGone(a.vllm())).toBe(true);
    expect(await readEndpoint(paths, 'judge')).toEqual(published);
    expect(isGone(b.vllm())).toBe(false);
  });

  it('starts nothing and removes nothing where its start comes too late', async () => {
    const b = serve('b', 2000);
    b.load();
    await b.isPublished();
    const a = serve('a', 1000);
    expect(await a.end).toMatchObject({ type: 'AttemptGivenUp' });
    expect(a.vllm()).toBeNull();
    await b.isPublished();
  });

  it('puts its endpoint back where an older server overwrote or removed it', async () => {
    const a = serve('a', 1000);
    a.load();
    await a.isPublished();
    const own = await readEndpoint(paths, 'judge');
    if (own === null) throw new Error('Expected an endpoint.');
    await publishEndpoint(paths, 'judge', { ...own, base_url: 'http://127.0.0.1:1/v1', pid: 1 });
    await a.isPublished();
    rmSync(paths.endpoint('judge'));
    await a.isPublished();
    expect(await readEndpoint(paths, 'judge')).toEqual(own);
  });

  it('ends once a newer one has claimed its endpoint, so that the next attempt claims it anew', async () => {
    const a = serve('a', 1000);
    a.load();
    await a.isPublished();
    const b = serve('b');
    await b.started();
    expect(await a.end).toMatchObject({ type: 'AttemptGivenUp', nonRetryable: false });
    expect(isGone(a.vllm())).toBe(true);
    b.load();
    await b.isPublished();
    const again = serve('a', 3000);
    await again.isPublished();
    expect(await b.end).toMatchObject({ type: 'AttemptGivenUp' });
  });

  it('leaves a server of the same role alone that publishes under another name', async () => {
    const audit = serve('a', 1000);
    audit.load();
    await audit.isPublished();
    const served = serve('b', undefined, 'serve-e1');
    served.load();
    await served.isPublished();
    await sleep(3000);
    await audit.isPublished();
    expect(isGone(audit.vllm())).toBe(false);
    expect(await served.abort()).toBe(ENDED);
    await audit.isPublished();
  });

  it('sends the stage to another node where SIGKILL does not end what an earlier server left', async () => {
    reaping.stuck = true;
    expect(await serve('a', 1000).end).toMatchObject({ type: 'NodeStuck', nonRetryable: true });
  });

  it('sends the stage to another node where SIGKILL does not end its own vLLM, and leaves no key behind', async () => {
    const a = serve('a', 1000);
    a.load();
    await a.isPublished();
    const file = (await readEndpoint(paths, 'judge'))?.api_key_file ?? '';
    reaping.stuck = true;
    process.kill(a.vllm() as number, 'SIGKILL');
    expect(await a.end).toMatchObject({ type: 'NodeStuck' });
    expect(existsSync(file)).toBe(false);
  });

  it('ends with what an abort ends it with while it loads, and publishes nothing', async () => {
    const a = serve('a', 1000);
    await a.started();
    const { value, seconds } = await timed(a.abort());
    expect(value).toBe(ENDED);
    expect(seconds).toBeLessThan(5);
    expect(isGone(a.vllm())).toBe(true);
    expect(readdirSync(paths.endpoints)).toEqual(['judge.claims']);
  });

  it('ends within seconds while it hashes a large model', async () => {
    mkdirSync(join(root, 'models/a'), { recursive: true });
    const weights = join(root, 'models/a/model.safetensors');
    writeFileSync(weights, '');
    // Without blocks on the disk, but it takes a minute and more to hash.
    truncateSync(weights, 100e9);
    const a = serve('a', 1000);
    await a.started();
    a.load();
    await sleep(500);
    const { value, seconds } = await timed(a.abort());
    expect(value).toBe(ENDED);
    expect(seconds).toBeLessThan(5);
    expect(isGone(a.vllm())).toBe(true);
  });
});
