import { readdir } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { createLease, readLeases, removeLease } from '../../src/gpus/lease-files.ts';
import { aNode, claimOf } from './a-node.ts';

/** What happens between the two steps of a removal, once. */
let afterRename: (() => Promise<unknown>) | null = null;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const rename: typeof real.rename = async (from, to) => {
    await real.rename(from, to);
    if (!/\/GPU-0\.json$/.test(String(from))) return;
    const then = afterRename;
    afterRename = null;
    await then?.();
  };
  return { ...real, rename };
});

test('a late removal of a dead lease never frees the GPU that another has leased since', async () => {
  const { folder, lease, closed } = aNode(1);
  await lease('dead', 1);
  const [seen] = await readLeases(folder);
  closed.add('dead');
  expect((await lease('second', 1)).leased).toEqual(['GPU-0']);
  let third: unknown;
  afterRename = async () => {
    third = await lease('third', 1);
  };
  if (seen) await removeLease(seen);
  expect(third).toMatchObject({ leased: null });
  expect((await lease('third', 1)).leased).toBeNull();
  expect((await lease('second', 1)).leased).toEqual(['GPU-0']);
});

test('a lease that was written while another one of its GPU was being moved is withdrawn', async () => {
  const { folder, lease, closed } = aNode(1);
  await lease('dead', 1);
  const [seen] = await readLeases(folder);
  closed.add('dead');
  await lease('second', 1);
  let created: boolean | null = null;
  afterRename = async () => {
    created = await createLease(folder, 'a', 'GPU-0', claimOf('third'));
  };
  if (seen) await removeLease(seen);
  expect(created).toBe(false);
  expect((await readLeases(folder)).map(({ file }) => file.claim.reservation)).toEqual(['run of second.1']);
});

test('a lease that a late removal has moved is given back as any other', async () => {
  const { folder, lease, closed } = aNode(1);
  await lease('dead', 1);
  const [seen] = await readLeases(folder);
  closed.add('dead');
  await lease('second', 1);
  if (seen) await removeLease(seen);
  for (const moved of await readLeases(folder)) await removeLease(moved);
  expect((await readdir(folder)).filter((name) => name.endsWith('.json'))).toEqual([]);
});
