import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

test('what a killed worker left is removed with the next key', async () => {
  // Higher than any pid that Linux gives.
  const left = join(tmpdir(), 'gavel-key-4194999-test');
  mkdirSync(left, { recursive: true });
  const held = await holdKey();
  expect(existsSync(left)).toBe(false);
  await held.release();
});
