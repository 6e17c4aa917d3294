import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configFor, fakeJudge, gatewayWith, graded, runDirectory, tracesOf } from './start.ts';

function publish(run_dir: string, base_url: string, more: object = {}): string {
  mkdirSync(join(run_dir, 'endpoints'), { recursive: true });
  const path = join(run_dir, 'endpoints/judge.json');
  const place = { role: 'judge', base_url, model: 'tiny', model_digest: 'd1', pid: 1, host: 'h', api_key_env: null };
  writeFileSync(`${path}.part`, JSON.stringify({ ...place, started_at: '2026-01-01T00:00:00Z', ...more }));
  renameSync(`${path}.part`, path);
  return path;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('waits through an outage, says so, and finds the judge on its new port', async () => {
  const first = await fakeJudge();
  const run_dir = runDirectory();
  const endpoint_file = publish(run_dir, first.url);
  const gateway = await gatewayWith(configFor(run_dir, { endpoint_file }));
  await gateway.grade();
  await first.stop();
  const waiting = Promise.all([1, 2, 3].map((n) => gateway.grade({ completion: `${n}`, occasion: `grpo:2:0:${n}` })));
  await pause(1500);
  const second = await fakeJudge(() => ({ text: 'Score: 5' }));
  expect(second.port).not.toBe(first.port);
  publish(run_dir, second.url);
  expect((await waiting).map(({ score }) => score)).toEqual([5, 5, 5]);
  expect(gateway.events).toContainEqual(expect.objectContaining({ event: 'waiting', for: 'judge' }));
  expect(gateway.events.at(-1)).toMatchObject({ event: 'recovered', for: 'judge' });
  expect(gateway.stats().judge?.waiting_s).toBeGreaterThan(1);
  expect(await tracesOf(run_dir)).toHaveLength(4);
});

test('waits for a judge that is started again, also where a server of another run has its old port', async () => {
  const first = await fakeJudge();
  const run_dir = runDirectory();
  const endpoint_file = publish(run_dir, first.url);
  const gateway = await gatewayWith(configFor(run_dir, { endpoint_file }));
  await gateway.grade();
  rmSync(endpoint_file);
  first.behave = () => ({ status: 401 });
  const waiting = gateway.grade({ completion: 'other' });
  await pause(1000);
  publish(run_dir, (await fakeJudge()).url);
  expect(await waiting).toMatchObject({ score: 7 });
});

test('waits for a vLLM of its own while the endpoint file still names a port that another server has taken', async () => {
  const first = await fakeJudge();
  const run_dir = runDirectory();
  const endpoint_file = publish(run_dir, first.url);
  const gateway = await gatewayWith(configFor(run_dir, { endpoint_file, engine: 'vllm' }));
  await gateway.grade();
  first.behave = () => ({ status: 401 });
  const waiting = gateway.grade({ completion: 'other' });
  await pause(1000);
  publish(run_dir, (await fakeJudge()).url);
  expect(await waiting).toMatchObject({ score: 7 });
});

test.each([503, 429])(
  'quotes no request in judge_away after a %s, since it ends in the history of Temporal',
  async (status) => {
    const { gateway } = await graded(
      ({ body }) => ({ status, body: { error: { message: `No room for ${JSON.stringify(body)}` } } }),
      { timeout_s: 0.4, outage_limit_s: 1 },
    );
    const failed = (completion: string) => gateway.grade({ completion }).catch((thrown) => thrown);
    const first = failed('QUOTED');
    await pause(400);
    // Its own time is not over when the outage that the first one began is.
    for (const error of [await failed('QUOTED too'), await first]) {
      expect(error).toMatchObject({ code: 'judge_away' });
      expect(error.message).toContain(`Last: HTTP ${status}`);
      expect(error.message).not.toContain('QUOTED');
    }
  },
);

test('waits for a judge that is not published yet', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const gateway = await gatewayWith(configFor(run_dir, { endpoint_file: join(run_dir, 'endpoints/judge.json') }));
  const waiting = gateway.grade();
  await pause(300);
  publish(run_dir, judge.url);
  expect(await waiting).toMatchObject({ score: 7 });
});

test.each([
  ['does not answer at all', { hang: true }],
  ['cuts its connections', { cut: true }],
  ['is broken', { status: 500 }],
  ['sends a web page', { raw: '<html>Bad gateway</html>' }],
  ['sends JSON that is no chat completion', { raw: '{"hello": 1}' }],
] as const)(
  'gives up with 503 judge_away, and no verdict, once a judge that %s has been away too long',
  async (_, behaviour) => {
    const { gateway, run_dir } = await graded(() => behaviour, { timeout_s: 0.4, outage_limit_s: 1 });
    const error = await gateway.grade().catch((thrown) => thrown);
    expect(error).toMatchObject({ status: 503, code: 'judge_away' });
    expect(error.message).toContain('outage_limit_s');
    expect(await tracesOf(run_dir)).toEqual([]);
  },
);

test('asks again after timeouts, 500s and cut connections until there is a verdict', async () => {
  const faults = [{ status: 500 }, { cut: true }, { hang: true }, { status: 503 }] as const;
  const { gateway } = await graded((_, n) => faults[n - 1] ?? { text: 'Score: 8' }, { timeout_s: 0.4 });
  expect(await gateway.grade()).toMatchObject({ score: 8, replayed: false });
});

test('waits as long as Retry-After says after a 429', async () => {
  const { gateway, judge } = await graded((_, n) =>
    n === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { text: 'Score: 8' },
  );
  const started = performance.now();
  expect(await gateway.grade()).toMatchObject({ score: 8 });
  expect(performance.now() - started).toBeGreaterThan(990);
  expect(judge.chats).toHaveLength(2);
});

test('never has more calls in flight than its limit', async () => {
  let now = 0;
  let most = 0;
  const { gateway } = await graded(
    () => {
      now++;
      most = Math.max(most, now);
      setTimeout(() => now--, 20);
      return { text: 'Score: 1', delay_ms: 20 };
    },
    { concurrency: 4, sampling: { temperature: 1 } },
  );
  await Promise.all(Array.from({ length: 40 }, (_, n) => gateway.grade({ occasion: `grpo:1:0:${n}` })));
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(5);
});

test('refuses a judge that came back as another model', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const endpoint_file = publish(run_dir, judge.url);
  const gateway = await gatewayWith(configFor(run_dir, { endpoint_file }));
  await gateway.grade();
  judge.behave = () => {
    publish(run_dir, judge.url, { model_digest: 'd2' });
    return { status: 500 };
  };
  const error = await gateway.grade({ completion: 'other' }).catch((thrown) => thrown);
  expect(error).toMatchObject({ status: 502, code: 'judge_misconfigured' });
  expect(error.message).toMatch(/d1.*d2/);
});

test('keeps the key of the judge out of errors and ledger', async () => {
  process.env.TEST_JUDGE_KEY = 'sk-very-secret-key-123';
  try {
    const told = (asked: { authorization: string | undefined }, n: number) =>
      n === 1 ? { text: 'Score: 1' } : { status: 401, body: { error: { message: `Bad key ${asked.authorization}` } } };
    const judge = await fakeJudge(told);
    const run_dir = runDirectory();
    const key = { api_key_env: 'TEST_JUDGE_KEY', api_key_hosts: [new URL(judge.url).host] };
    const gateway = await gatewayWith(configFor(run_dir, { base_url: judge.url, model: 'tiny', ...key }));
    await gateway.grade();
    expect(judge.chats[0]?.authorization).toBe('Bearer sk-very-secret-key-123');
    const error = await gateway.grade({ completion: 'other' }).catch((thrown) => thrown);
    expect(error.code).toBe('judge_misconfigured');
    expect(error.message).not.toContain('very-secret');
    await gateway.close();
    expect(readFileSync(join(run_dir, 'traces/serve-e1-000001.jsonl'), 'utf8')).not.toContain('very-secret');
  } finally {
    delete process.env.TEST_JUDGE_KEY;
  }
});

test('sends a key to no host that it is not bound to, and goes on once the judge is moved to one that it is', async () => {
  process.env.TEST_JUDGE_KEY = 'sk-very-secret-key-123';
  try {
    const judge = await fakeJudge();
    const stranger = await fakeJudge();
    const run_dir = runDirectory();
    const at = (url: string) => url.replace('127.0.0.1', 'localhost');
    const endpoint_file = publish(run_dir, at(stranger.url), { api_key_env: 'HOME' });
    const key = { api_key_env: 'TEST_JUDGE_KEY', api_key_hosts: [new URL(judge.url).host] };
    const gateway = await gatewayWith(configFor(run_dir, { endpoint_file, ...key }));
    const verdict = gateway.grade();
    await expect.poll(() => gateway.events[1], { timeout: 10_000 }).toMatchObject({ event: 'waiting' });
    expect(gateway.events[1]).toMatchObject({
      reason: expect.stringMatching(/TEST_JUDGE_KEY.*GAVEL_KEYS="TEST_JUDGE_KEY=localhost:\d+"/),
    });
    publish(run_dir, judge.url);
    expect((await verdict).verdict).toBe('scored');
    expect(stranger.asked).toEqual([]);
    expect(judge.chats[0]?.authorization).toBe('Bearer sk-very-secret-key-123');
    const fixed = gatewayWith(configFor(run_dir, { base_url: stranger.url, model: 'tiny', ...key }));
    await expect(fixed).rejects.toMatchObject({ code: 'judge_misconfigured' });
    expect(stranger.asked).toEqual([]);
  } finally {
    delete process.env.TEST_JUDGE_KEY;
  }
});
