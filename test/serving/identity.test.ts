import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { modelDigest } from '../../src/serving/identity.ts';
import { temporaryFolder } from '../temporary-folder.ts';

test('the digest of a model names its weights, and is given up as soon as its signal aborts', async () => {
  const path = temporaryFolder('test');
  const location = { kind: 'folder', path } as const;
  await writeFile(join(path, 'config.json'), '{}');
  await writeFile(join(path, 'model.safetensors'), 'weights');
  const digest = await modelDigest(location);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(await modelDigest(location, new AbortController().signal)).toBe(digest);
  await writeFile(join(path, 'model.safetensors'), 'others!');
  expect(await modelDigest(location)).not.toBe(digest);
  // Without blocks on the disk, but it takes a minute and more to hash.
  await truncate(join(path, 'model.safetensors'), 100e9);
  const hashing = modelDigest(location, AbortSignal.timeout(200));
  const start = performance.now();
  await expect(hashing).rejects.toMatchObject({ name: 'AbortError' });
  expect(performance.now() - start).toBeLessThan(5000);
});
