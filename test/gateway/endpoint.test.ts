import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { GatewayRole } from '../../src/contracts/gateway.ts';
import { readEndpoint } from '../../src/gateway/endpoint.ts';
import { holdKey } from '../../src/serving/key-file.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** Reads an endpoint file that names the key of a vLLM on this machine. */
async function readWith(base_url: string, engine: 'vllm' | 'openai' = 'vllm') {
  const held = await holdKey();
  onTestFinished(() => held.release());
  const endpoint_file = join(temporaryFolder('endpoint'), 'judge.json');
  const place = { role: 'judge', base_url, model: 'tiny', model_digest: 'd1', pid: 1, host: 'h', api_key_env: null };
  writeFileSync(
    endpoint_file,
    JSON.stringify({ ...place, api_key_file: held.file, started_at: '2026-01-01T00:00:00Z' }),
  );
  const read = () => readEndpoint('judge', GatewayRole.parse({ endpoint_file, engine }));
  return { key: held.key, read };
}

test.each(['127.0.0.1', 'localhost', '[::1]'])(
  'the key of a vLLM that gavel started goes to it on %s',
  async (host) => {
    const { key, read } = await readWith(`http://${host}:8000/v1`);
    expect(read().api_key).toBe(key);
  },
);

test('the key of a vLLM goes to no other machine, whatever an endpoint file says', async () => {
  const { read } = await readWith('https://judge.example.com/v1');
  expect(read).toThrow(/judge\.example\.com, engine vllm\. The key was not sent/);
});

test('the key of a vLLM goes to no model that gavel does not serve', async () => {
  const { read } = await readWith('http://127.0.0.1:8000/v1', 'openai');
  expect(read).toThrow(/engine openai\. The key was not sent/);
});
