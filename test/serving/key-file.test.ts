import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { holdKey, readKey } from '../../src/serving/key-file.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('a key is readable while its server lives, and comes back where a cleaner has removed it', async () => {
  const held = await holdKey();
  expect(readKey(held.file)).toBe(held.key);
  rmSync(held.file);
  await held.keep();
  expect(readKey(held.file)).toBe(held.key);
  await held.release();
  expect(() => readKey(held.file)).toThrow();
});

test('an endpoint file cannot have another file sent as a key', () => {
  const file = join(temporaryFolder('test'), 'id_rsa');
  writeFileSync(file, 'PRIVATE KEY');
  expect(() => readKey(file)).toThrow(/found something else/);
});

test('a key comes back where a cleaner has removed its folder too', async () => {
  const held = await holdKey();
  rmSync(dirname(held.file), { recursive: true });
  await held.keep();
  expect(readKey(held.file)).toBe(held.key);
  expect(statSync(dirname(held.file)).mode & 0o077).toBe(0);
  await held.release();
});

test('what a killed worker left is removed with the next key, and nothing of one in another container', async () => {
  const temporary = temporaryFolder('test');
  const own = basename(dirname((await holdKey(temporary)).file));
  const [, , machine] = own.split('-');
  const dead = `gavel-key-${machine}-${process.pid}-000000-abcdef`;
  // Higher than any pid that Linux gives: here no process has it, in its own container one may.
  const elsewhere = 'gavel-key-000000-4194999-000000-abcdef';
  for (const name of [dead, elsewhere]) mkdirSync(join(temporary, name));
  const next = basename(dirname((await holdKey(temporary)).file));
  expect(readdirSync(temporary).sort()).toEqual([own, next, elsewhere].sort());
});
