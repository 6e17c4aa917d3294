import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { digestOf } from '../../src/run-directory/digest.ts';
import { locateModel, modelDigest } from '../../src/serving/identity.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const COMMIT = 'a09a35458c702b33eeacc393d103063234e8bc28';

async function modelFolder(root = temporaryFolder('test')) {
  const path = join(root, 'models/m');
  mkdirSync(path, { recursive: true });
  await writeFile(join(path, 'config.json'), '{}');
  await writeFile(join(path, 'model.safetensors'), 'weights');
  return { root, path };
}

test('the digest of a model names its weights, and is given up as soon as its signal aborts', async () => {
  const { path } = await modelFolder();
  const location = { kind: 'folder', path } as const;
  const digest = await modelDigest(location);
  expect(digest).toBe(await digestOf(path));
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

test('the digest of a hub model names its commit', async () => {
  const digest = await modelDigest({ kind: 'hub', name: 'a/b', revision: COMMIT });
  expect(digest).toBe(createHash('sha256').update(`hub:a/b@${COMMIT}`).digest('hex'));
  expect(await modelDigest({ kind: 'hub', name: 'a/b', revision: COMMIT.replace('a', 'b') })).not.toBe(digest);
});

test('a model is a folder, or a commit on the hub, and a spec that says neither is told which field is to blame', async () => {
  const { root, path } = await modelFolder();
  const found = (model: string, revision: string | null = null) => locateModel(root, { model, revision });
  expect(found('models/m')).toEqual({ kind: 'folder', path });
  expect(found(path)).toEqual({ kind: 'folder', path });
  expect(found('Qwen/Qwen3-1.7B', COMMIT)).toEqual({ kind: 'hub', name: 'Qwen/Qwen3-1.7B', revision: COMMIT });
  expect(found('Qwen/Qwen3-1.7B')).toMatchObject({
    field: 'revision',
    problem: expect.stringContaining('missing; expected the commit of Qwen/Qwen3-1.7B'),
  });
  expect(found('models/m', COMMIT)).toMatchObject({ field: 'revision', problem: expect.stringContaining('null') });
  expect(found('models/other')).toMatchObject({ field: 'model' });
  expect(found('/no/such/folder', COMMIT)).toMatchObject({ field: 'model' });
});
