import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { ServeSpec } from '../../src/contracts/spec/serve.ts';
import type { Endpoint } from '../../src/contracts/stage.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { readEndpoint } from '../../src/serving/endpoints.ts';
import { readKey } from '../../src/serving/key-file.ts';
import { serveUntilAborted } from '../../src/stage/model-server.ts';
import { until } from './sandbox.ts';

/** The real vLLM, as gavel starts it, on a judge that ships sampling settings of its own. */

const judge = fileURLToPath(new URL('../../models/poly-easy-judge', import.meta.url));
const stop = new AbortController();
let root: string;
let endpoint: Endpoint;
let served: Promise<unknown>;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'gavel-vllm-'));
  const model = join(root, 'judge');
  cpSync(judge, model, { recursive: true });
  const shipped = join(model, 'generation_config.json');
  const settings = JSON.parse(readFileSync(shipped, 'utf8'));
  writeFileSync(shipped, JSON.stringify({ ...settings, repetition_penalty: 2 }));
  const paths = runPaths(root, 'r');
  mkdirSync(paths.dir, { recursive: true });
  const serve = ServeSpec.parse({ dtype: 'float32', max_model_len: 256, extra_args: ['--max-num-seqs', '8'] });
  served = serveUntilAborted({
    ...{ run: 'r', stage: 'grpo', gpus: [], start_timeout_s: 300, served_before: false },
    served: { role: 'judge', engine: 'vllm', model, revision: null, serve },
    config: { ...loadConfig(), root },
    ...{ paths, attempt: 1, signal: stop.signal, ended: () => new Error('ended by the test') },
    ...{ beat: () => {}, onInterruption: () => {} },
  }).catch((error) => error);
  endpoint = await until('vLLM to answer', 300, () => readEndpoint(paths, 'judge').catch(() => null));
});

afterAll(async () => {
  stop.abort();
  await served;
  rmSync(root, { recursive: true, force: true });
});

const PROMPT =
  'Problem: Solve 3x+4=-5. Working: 3x=-9. x=-3 Check the working and give a score from 0 to 9. Reason step by step.';

async function complete(settings: object, key = readKey(endpoint.api_key_file ?? '')) {
  const response = await fetch(`${endpoint.base_url}/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ model: endpoint.model, prompt: PROMPT, temperature: 0, max_tokens: 48, ...settings }),
  });
  const body = (await response.json()) as { choices?: { text: string }[] };
  return { status: response.status, text: body.choices?.[0]?.text };
}

it('refuses a request without its key', async () => {
  expect((await complete({}, 'gavel-another')).status).toBe(401);
  expect((await complete({})).status).toBe(200);
});

it.each(['adapters', 'invocations', 'tokenize'])('refuses a request to /%s without its key', async (path) => {
  const url = endpoint.base_url.replace(/\/v1$/, `/${path}`);
  const { status } = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
  expect(status).toBe(401);
});

it('samples as a request says, and not as the model ships', async () => {
  const open = await complete({});
  expect(open.text).toBe((await complete({ repetition_penalty: 1 })).text);
  expect(open.text).not.toBe((await complete({ repetition_penalty: 2 })).text);
});
