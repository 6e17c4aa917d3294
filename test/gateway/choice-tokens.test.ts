import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { choiceTokens } from '../../src/gateway/choice-tokens.ts';
import { fakeJudge } from './start.ts';

test('a server that redirects the question for tokens to another host is refused', async () => {
  const stranger = await fakeJudge();
  stranger.vllm = true;
  const server = createServer((_, response) => {
    response.writeHead(307, { location: stranger.url.replace('/v1', '/tokenize') }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const base_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const endpoint = { base_url, model: 'm', model_digest: null, endpoint: null, api_key: 'sk' };
  await expect(choiceTokens(endpoint, ['0', '1'], AbortSignal.timeout(5000))).rejects.toMatchObject({
    code: 'judge_misconfigured',
    message: expect.stringContaining(`redirect to 127.0.0.1:${stranger.port} (HTTP 307)`),
  });
  expect(stranger.asked).toEqual([]);
});
