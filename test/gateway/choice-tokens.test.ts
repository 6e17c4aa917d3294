import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { allowedTokens, choiceTokens } from '../../src/gateway/choice-tokens.ts';
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

const vocabulary: Record<string, number> = { yes: 1, no: 2, ' yes': 3, ' no': 4, ' maybe': 5, '0': 6, ' 0': 7, '1': 8 };
const tokenize = async (text: string) => (text in vocabulary ? [vocabulary[text] as number] : [90, 91]);

test('a way of writing the choices counts only if all of them are one token in it', async () => {
  expect(await allowedTokens(['yes', 'no'], tokenize)).toEqual([1, 2, 3, 4]);
  expect(await allowedTokens(['yes', 'no', 'maybe'], tokenize)).toEqual([3, 4, 5]);
  expect(await allowedTokens(['yes', 'perhaps'], tokenize)).toBeNull();
  expect(await allowedTokens(['0', '1'], tokenize)).toEqual([6, 8]);
});

test('choices that are one and the same token, as unknown words are, are not constrained to it', async () => {
  expect(
    await allowedTokens(['yes', 'no'], async (text) => [text.startsWith(' ') ? (text === ' no' ? 1 : 2) : 0]),
  ).toEqual([2, 1]);
  expect(await allowedTokens(['yes', 'no'], async () => [0])).toBeNull();
});

test('choices whose tokens nobody knows are not constrained', async () => {
  expect(await allowedTokens(['yes', 'no'], async () => null)).toBeNull();
});
