import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createRoot, readRootId } from '../../src/run-directory/root.ts';
import { nodeQueue, taskQueue } from '../../src/temporal/task-queues.ts';
import { temporaryFolder } from '../temporary-folder.ts';

it('gives a folder one identity, however many processes make it a root and however often', async () => {
  const root = temporaryFolder('root');
  const ids = await Promise.all(Array.from({ length: 8 }, () => createRoot(root)));
  expect(new Set([...ids, await createRoot(root), readRootId(root)]).size).toBe(1);
});

it('gives two roots task queues of their own, for all work and for the work of a node', async () => {
  const [a, b] = [await createRoot(temporaryFolder('root')), await createRoot(temporaryFolder('root'))];
  const queues = [taskQueue(a), taskQueue(b), nodeQueue(a, 'n'), nodeQueue(b, 'n')];
  expect(new Set(queues).size).toBe(4);
  expect(taskQueue(a)).toMatch(/^gavel-[0-9a-f]{8}$/);
});

it('refuses a folder without a marker, and makes none', () => {
  const root = temporaryFolder('root');
  expect(() => readRootId(root)).toThrow(/found none.*wrong mount.*gavel root --new/is);
  expect(existsSync(join(root, '.gavel-root'))).toBe(false);
});

it('refuses a marker that holds no UUID, and says what it holds', async () => {
  const root = temporaryFolder('root');
  writeFileSync(join(root, '.gavel-root'), 'a marker that git has\n');
  expect(() => readRootId(root)).toThrow(/hold the root's UUID, found "a marker that git has"/);
  await expect(createRoot(root)).rejects.toThrow(/hold the root's UUID/);
});
