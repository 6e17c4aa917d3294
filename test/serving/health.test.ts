import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { isHealthy, isOwn } from '../../src/serving/health.ts';

const signal = AbortSignal.timeout(30_000);

/** A model server that takes `key` (null: any) and serves `model`. */
async function server({ key, model }: { key: string | null; model: string }): Promise<string> {
  const http = createServer(({ url, headers }, response) => {
    const known = url === '/health' || key === null || headers.authorization === `Bearer ${key}`;
    response.writeHead(known ? 200 : 401).end(JSON.stringify({ data: [{ id: model }] }));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void http.close());
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

test.each([
  ['with its key and model is our own', { key: 'ours', model: 'judge' }, true],
  ['with another key is a stranger that took the port first', { key: 'theirs', model: 'judge' }, false],
  ['without a key is a stranger that took the port first', { key: null, model: 'judge' }, false],
  ['with another model is a stranger that took the port first', { key: 'ours', model: 'other' }, false],
])('a healthy server %s', async (_, settings, own) => {
  const url = await server(settings);
  expect(await isHealthy({ url }, signal)).toBe(true);
  expect(await isOwn({ url, api_key: 'ours', served_name: 'judge' }, signal)).toBe(own);
});

test('a port without a server is neither healthy nor our own', async () => {
  const url = 'http://127.0.0.1:1';
  expect(await isHealthy({ url }, signal)).toBe(false);
  expect(await isOwn({ url, api_key: 'ours', served_name: 'judge' }, signal)).toBe(false);
});
