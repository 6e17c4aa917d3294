import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { holdName } from '../../src/process/hold-name.ts';

const module = fileURLToPath(new URL('../../src/process/hold-name.ts', import.meta.url));

/** Elsewhere a file that names its process takes the place of the socket. */
test.each(['linux', 'darwin'])('a name has one holder until it is released, on %s', async (platform) => {
  const name = `gavel-test-${randomUUID()}`;
  const release = await holdName(name, platform);
  expect(release).not.toBeNull();
  expect(await holdName(name, platform)).toBeNull();
  release?.();
  const again = await holdName(name, platform);
  expect(again).not.toBeNull();
  again?.();
});

test.each(['linux', 'darwin'])('a name is free once its holder was killed, on %s', async (platform) => {
  const name = `gavel-test-${randomUUID()}`;
  const script =
    `import { holdName } from ${JSON.stringify(module)};` +
    `console.log(await holdName('${name}', '${platform}') !== null); setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await new Promise<string[]>((resolve) => holder.stdout.once('data', (data) => resolve([`${data}`])));
  expect(said?.trim()).toBe('true');
  expect(await holdName(name, platform)).toBeNull();
  const dead = new Promise((resolve) => holder.once('exit', resolve));
  holder.kill('SIGKILL');
  await dead;
  const release = await holdName(name, platform);
  expect(release).not.toBeNull();
  release?.();
});
