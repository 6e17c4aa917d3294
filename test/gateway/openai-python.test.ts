import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { graded, KEY } from './start.ts';

test('serves the openai package for Python: chat, streaming, models and its own error classes', async () => {
  const { gateway } = await graded(({ body }) => {
    if (body.user === 'limited') return { status: 429 };
    return body.user === 'broken' ? { status: 500 } : { text: 'Hello to you' };
  });
  const script = fileURLToPath(new URL('openai-python.py', import.meta.url));
  const env = { OPENAI_API_KEY: KEY };
  const { stdout } = await execa(loadConfig().python, [script, `${gateway.url}/v1`], { env });
  expect(JSON.parse(stdout)).toEqual({
    chat: 'Hello to you',
    stream: ['Hello ', 'to ', 'you'],
    models: ['judge', 'tiny'],
    unknown_model: 'NotFoundError',
    bad_request: 'BadRequestError',
    limited: 'RateLimitError',
    away: 'InternalServerError',
    wrong_key: true,
  });
}, 60_000);
