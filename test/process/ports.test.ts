import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, portTaken } from '../../src/process/ports.ts';

test('a free port is free', async () => {
  expect(await portTaken('127.0.0.1', await freePort())).toBeNull();
});

test.each(['127.0.0.1', '0.0.0.0'])('says who has a port on %s', async (host) => {
  const server = createServer();
  onTestFinished(() => void server.close());
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const message = await portTaken('127.0.0.1', port);
  expect(message).toContain(`Port ${port} on 127.0.0.1 is taken`);
  if (process.platform === 'linux') expect(message).toContain(`by pid ${process.pid} (`);
});
