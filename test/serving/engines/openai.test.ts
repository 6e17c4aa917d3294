import { afterEach, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config.ts';
import { Spec } from '../../../src/contracts/spec/spec.ts';
import { judgeSecrets } from '../../../src/serving/engines/openai.ts';
import { spec } from '../../workflows/environment.ts';

const { judge } = Spec.parse({
  ...spec,
  judge: { ...spec.judge, engine: 'openai', base_url: 'https://judge.example.com/v1', api_key_env: 'TEST_JUDGE_KEY' },
});
const worker = (GAVEL_KEYS?: string) => loadConfig({ GAVEL_KEYS });

afterEach(() => {
  delete process.env.TEST_JUDGE_KEY;
});

test('a key goes to the host that the worker binds it to', () => {
  process.env.TEST_JUDGE_KEY = 'secret';
  expect(judgeSecrets(worker('TEST_JUDGE_KEY=judge.example.com'), judge)).toEqual({ TEST_JUDGE_KEY: 'secret' });
});

test.each([
  ['binds no key', undefined],
  ['binds it to another host', 'TEST_JUDGE_KEY=other.example.com'],
  ['binds another key', 'OTHER=judge.example.com'],
])('a stage does not start where its worker %s, and says what to configure', (_, keys) => {
  process.env.TEST_JUDGE_KEY = 'secret';
  expect(() => judgeSecrets(worker(keys), judge)).toThrow(
    /judge\.api_key_env: expected a host that this worker may send TEST_JUDGE_KEY to .*GAVEL_KEYS="TEST_JUDGE_KEY=judge\.example\.com"/,
  );
});

test('a stage does not start where its worker does not have the key', () => {
  expect(() => judgeSecrets(worker('TEST_JUDGE_KEY=judge.example.com'), judge)).toThrow(/has no TEST_JUDGE_KEY/);
});
