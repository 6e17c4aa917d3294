import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig, pythonEnv } from '../../src/config.ts';
import { ServeSpec } from '../../src/contracts/spec/serve.ts';
import type { Endpoint } from '../../src/contracts/stage.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { readEndpoint } from '../../src/serving/endpoints.ts';
import { readKey } from '../../src/serving/key-file.ts';
import { serveUntilAborted } from '../../src/stage/model-server.ts';
import { until } from './sandbox.ts';

/** The server of `grpo.rollout: vllm_server`, on the CPU: TRL's own client samples from it, up to the transfer of weights, which is NCCL. */

const policy = fileURLToPath(new URL('../../models/poly-easy-policy', import.meta.url));
const stop = new AbortController();
let root: string;
let file: string;
let endpoint: Endpoint;
let served: Promise<unknown>;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'gavel-vllm-'));
  const model = join(root, 'policy');
  cpSync(policy, model, { recursive: true });
  const paths = runPaths(root, 'r');
  mkdirSync(paths.dir, { recursive: true });
  file = paths.endpoint('policy-0');
  const serve = ServeSpec.parse({ dtype: 'float32', max_model_len: 256 });
  served = serveUntilAborted({
    ...{ run: 'r', stage: 'grpo', endpoint: 'policy-0', gpus: [], start_timeout_s: 300, served_before: false },
    served: { role: 'policy', engine: 'vllm', model, revision: null, serve, takes_weights: true },
    config: { ...loadConfig(), root },
    ...{ paths, attempt: 1, signal: stop.signal, ended: () => new Error('ended by the test') },
    ...{ beat: () => {}, onInterruption: () => {} },
  }).catch((error) => error);
  endpoint = await until('vLLM to answer', 300, () => readEndpoint(paths, 'policy-0').catch(() => null));
});

afterAll(async () => {
  stop.abort();
  await served;
  rmSync(root, { recursive: true, force: true });
});

const AS_TRL_ASKS = `
import json, sys
from pathlib import Path
from types import SimpleNamespace
from gavel_train.policy.vllm_server import use_server
from trl.generation import vllm_generation

config = SimpleNamespace()
use_server(config, Path(sys.argv[1]), away_limit_s=10)
client = vllm_generation.VLLMClient(config.vllm_server_base_url, group_port=config.vllm_group_port)
sampled = client.generate([[3, 4, 5], [6, 7]], n=2, max_tokens=8)
info = client.get_server_info()
try:
    client.init_communicator("cpu")
    refused = None
except NotImplementedError as error:
    refused = str(error)
print(json.dumps({
    "model": client.model,
    "prompts": sampled["prompt_ids"],
    "logprobs": [len(a) == len(b) > 0 for a, b in zip(sampled["completion_ids"], sampled["logprobs"])],
    "world_size": client.get_world_size(),
    "transfer": info["weight_transfer_config"]["backend"],
    "logprobs_mode": info["model_config"]["logprobs_mode"],
    "refused": refused,
}))
`;

it("answers TRL's client, which sends gavel's key, and takes weights by NCCL alone", async () => {
  const config = loadConfig();
  const { stdout } = await execa(config.python, ['-c', AS_TRL_ASKS, file], { env: pythonEnv(config, true) });
  expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({
    ...{
      model: endpoint.model,
      prompts: [
        [3, 4, 5],
        [6, 7],
      ],
      logprobs: [true, true, true, true],
    },
    ...{ world_size: 1, transfer: 'nccl', logprobs_mode: 'processed_logprobs' },
    refused: expect.stringContaining("needs a CUDA device, got 'cpu'"),
  });
});

it.each([
  ['GET', 'server_info'],
  ['POST', 'init_weight_transfer_engine'],
  ['POST', 'update_weights'],
  ['POST', 'collective_rpc'],
])('refuses %s /%s, a route for development, without its key', async (method, path) => {
  const url = endpoint.base_url.replace(/\/v1$/, `/${path}`);
  const body = method === 'POST' ? { body: '{}', headers: { 'content-type': 'application/json' } } : {};
  expect((await fetch(url, { method, ...body })).status).toBe(401);
  const key = readKey(endpoint.api_key_file ?? '');
  // A route that is there refuses an empty body, and changes nothing.
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
  const { status } = await fetch(url, { method, ...body, headers });
  if (method === 'GET') expect(status).toBe(200);
  else expect([400, 422, 500]).toContain(status);
});
