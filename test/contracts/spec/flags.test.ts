import { expect, test } from 'vitest';
import { argsProblem, refusedArgs, VLLM_FLAGS } from '../../../src/contracts/spec/flags.ts';

test('lets a spec set how fast vLLM is and what it holds in memory', () => {
  const args = ['--max-num-seqs', '64', '--kv_cache_dtype=fp8', '--no-enable-prefix-caching', '--seed', '-1'];
  expect(refusedArgs(args, VLLM_FLAGS, [])).toEqual([]);
});

test.each([
  ['--trust-remote-code'],
  ['--trust_remote_code'],
  ['--trust-remote'],
  ['--host=0.0.0.0'],
  ['--port=80'],
  ['--api-key=x'],
  ['--generation-config=auto'],
  ['--model=other/model'],
  ['--served-model-name=x'],
  ['--middleware=os.system'],
  ['--config=all.yaml'],
  ['--max-logprobs=5'],
  ['-tp'],
  ['other/model'],
  ['--max-num-seqs'],
  ['--enforce-eager=1'],
])('refuses %s', (arg) => {
  expect(refusedArgs([arg], VLLM_FLAGS, [])).toEqual([arg]);
});

test('refuses what follows a switch or a value that is complete: it would be the model', () => {
  expect(refusedArgs(['--enforce-eager', 'evil/model'], VLLM_FLAGS, [])).toEqual(['evil/model']);
  expect(refusedArgs(['--seed=1', 'evil/model'], VLLM_FLAGS, [])).toEqual(['evil/model']);
});

test('takes no flag for the value of another, but a negative number', () => {
  const args = ['--seed', '-cc.backend', '--max-num-seqs', '8'];
  expect(refusedArgs(args, VLLM_FLAGS, [])).toEqual(['--seed', '-cc.backend']);
  expect(refusedArgs(['--download-dir', '-tp', '2'], VLLM_FLAGS, ['--download-dir'])).toEqual(['-tp', '2']);
  expect(refusedArgs(['--seed', '-1.5'], VLLM_FLAGS, [])).toEqual([]);
});

test('allows what the worker allows for itself, with a value or without, and nothing that begins like it', () => {
  const widened = ['--download-dir', '--trust-remote-code'];
  expect(refusedArgs(['--download_dir', '/big', '--trust-remote-code'], VLLM_FLAGS, widened)).toEqual([]);
  expect(refusedArgs(['--download', '/big'], VLLM_FLAGS, widened)).toEqual(['--download', '/big']);
});

test('says which flags a spec may set and what a worker can allow', () => {
  const message = argsProblem(['--host', '0.0.0.0'], VLLM_FLAGS);
  expect(message).toContain('--max-num-seqs');
  expect(message).toMatch(/found --host 0\.0\.0\.0\. A worker allows more.*GAVEL_ALLOW_ARGS="--host"/);
});
