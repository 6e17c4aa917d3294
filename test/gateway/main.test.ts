import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, expect, test } from 'vitest';
import type { Grade } from '../../src/contracts/trace.ts';
import { configFor, fakeJudge, KEY, QUESTION, runDirectory, tracesOf } from './start.ts';

const main = fileURLToPath(new URL('../../src/gateway/main.ts', import.meta.url));
const started: { kill(signal: 'SIGKILL'): boolean; pid?: number | undefined }[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function run(run_dir: string, config: object, key: string = KEY) {
  const path = join(run_dir, 'gateway.json');
  writeFileSync(path, JSON.stringify(config));
  const child = execa(process.execPath, [main, path], { env: { GAVEL_API_KEY: key }, stdin: 'pipe', reject: false });
  started.push(child);
  return child;
}

/** Resolves with the URL that the gateway says it listens on. */
function listening({ stdout }: ReturnType<typeof run>): Promise<string> {
  return new Promise((resolve) => {
    stdout?.on('data', (chunk: Buffer) => {
      const url = /"listening","url":"([^"]+)"/.exec(chunk.toString())?.[1];
      if (url) resolve(url);
    });
  });
}

const headers = { 'content-type': 'application/json', authorization: `Bearer ${KEY}` };
const grade = async (url: string, n: number): Promise<Grade> => {
  const body = JSON.stringify({ ...QUESTION, occasion: `grpo:1:0:${n}`, completion: `${n}` });
  return (await fetch(`${url}/v1/grade`, { method: 'POST', headers, body })).json() as Promise<Grade>;
};

test('ends at the end of its standard input, with its segment sealed', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const child = run(run_dir, configFor(run_dir, { base_url: judge.url, model: 'tiny' }));
  await grade(await listening(child), 1);
  child.stdin?.end();
  expect((await child).exitCode).toBe(0);
  expect(existsSync(join(run_dir, 'traces/serve-e1-000001.seal.json'))).toBe(true);
}, 30_000);

test('has every verdict that it gave on disk after SIGKILL, and the next gateway replays them', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const config = configFor(run_dir, { base_url: judge.url, model: 'tiny' });
  const first = run(run_dir, config);
  const url = await listening(first);
  const given: string[] = [];
  const calls = Array.from({ length: 60 }, (_, n) =>
    grade(url, n).then(
      ({ trace_keys }) => {
        given.push(...trace_keys);
        if (given.length === 20) first.kill('SIGKILL');
      },
      () => {},
    ),
  );
  await Promise.all(calls);
  await first;
  const kept = new Set((await tracesOf(run_dir)).map(({ key }) => key));
  expect(given.length).toBeGreaterThanOrEqual(20);
  expect(given.filter((key) => !kept.has(key))).toEqual([]);

  const again = await listening(run(run_dir, config));
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => grade(again, n)));
  expect(answers.filter(({ replayed }) => replayed)).toHaveLength(kept.size);
  const keys = (await tracesOf(run_dir)).map(({ key }) => key);
  expect([keys.length, new Set(keys).size]).toEqual([60, 60]);
}, 60_000);

test.each([
  ['without a key', {}, '', 'GAVEL_API_KEY'],
  ['with an unknown field', { colour: 1 }, KEY, 'colour'],
  ['with a rubric that is not there', { rubric: '/nowhere.yaml' }, KEY, '/nowhere.yaml'],
])(
  'fails with one clear line when started %s',
  async (_, change, key, message) => {
    const run_dir = runDirectory();
    const config = configFor(run_dir, { base_url: 'http://127.0.0.1:1/v1', model: 'tiny' });
    const result = await run(run_dir, { ...config, ...change }, key);
    expect(result.exitCode).toBe(1);
    const failed = { event: 'failed', message: expect.stringContaining(message) };
    expect(JSON.parse(result.stdout as string)).toMatchObject(failed);
  },
  30_000,
);

test('names a port that is taken', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const config = configFor(run_dir, { base_url: judge.url, model: 'tiny' }, { port: judge.port });
  const result = await run(run_dir, config);
  expect(result.exitCode).toBe(1);
  expect(result.stdout).toContain(`Expected port ${judge.port} on 127.0.0.1 to be free`);
}, 30_000);
