import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { makeSocketFolder } from '../../src/serving/socket-folder.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const UUID = '0f5e2c1a-6f0e-4a55-9a3f-3d7d6f0b7c11';

it('has room for a socket named by a UUID, also where the folder for temporary files has a long name', async () => {
  const long = join(temporaryFolder('sockets'), 'x'.repeat(60));
  mkdirSync(long);
  const folder = await makeSocketFolder(long);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(dirname(folder)).toBe('/tmp');
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(join(folder, UUID), resolve));
  expect(readdirSync(folder)).toEqual([UUID]);
  server.close();
});

it('takes away what a process has left that died, and nothing of one that lives or of another machine', async () => {
  // Short, wherever this machine keeps its temporary files.
  const temporary = mkdtempSync('/tmp/s-');
  onTestFinished(() => rmSync(temporary, { recursive: true }));
  const own = basename(await makeSocketFolder(temporary));
  const [, , machine] = own.split('-');
  const dead = `gavel-socket-${machine}-${process.pid}-000000-abcdef`;
  const elsewhere = 'gavel-socket-000000-999999999-000000-abcdef';
  for (const name of [dead, elsewhere, 'gavel-e2e-1']) mkdirSync(join(temporary, name));
  writeFileSync(join(temporary, dead, UUID), '');
  const next = basename(await makeSocketFolder(temporary));
  expect(readdirSync(temporary).sort()).toEqual([own, next, elsewhere, 'gavel-e2e-1'].sort());
});
