import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { releaseReservation } from '../../src/gpus/leases.ts';
import { aNode, claimOf, ROOT_ID } from './a-node.ts';

let now_ms = 0;
beforeEach(() => {
  now_ms = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now_ms);
});
afterEach(() => vi.restoreAllMocks());

const release = (root: string, id: string) => releaseReservation(root, ROOT_ID, claimOf(id).reservation);

/** As the clock of a file server sees it that is `seconds` off. */
async function skew(folder: string, seconds: number) {
  const time = new Date(Date.now() + seconds * 1000);
  for (const name of await readdir(join(folder, 'queue'))) await utimes(join(folder, 'queue', name), time, time);
}

test('serves first who asked first: a large request is not starved by small ones', async () => {
  const { root, lease } = aNode(4);
  await lease('small-1', 2);
  expect((await lease('large', 4)).leased).toBeNull();
  expect((await lease('small-2', 1)).why).toContain('large (namespace default) asked first');
  await release(root, 'small-1');
  expect((await lease('small-2', 1)).leased).toBeNull();
  expect((await lease('large', 4)).leased).toHaveLength(4);
});

test.each([-3600, 3600])('a file server whose clock is %i s off changes nothing', async (seconds) => {
  const { root, lease, folder } = aNode(2);
  await lease('small', 1);
  await lease('large', 2);
  await skew(folder, seconds);
  // With the skew, a waiter that asks now would have lost its place, or have taken that of the one before it.
  expect((await lease('other', 1)).why).toContain('large (namespace default) asked first');
  await skew(folder, seconds);
  await release(root, 'small');
  expect((await lease('large', 2)).leased).toHaveLength(2);
});

test('a waiter that has stopped asking loses its place', async () => {
  const { lease } = aNode(2);
  await lease('small', 1);
  await lease('large', 2);
  expect((await lease('other', 1)).leased).toBeNull();
  now_ms += 31_000;
  expect((await lease('other', 1)).leased).toHaveLength(1);
});

test('a waiter that goes on asking keeps its place, however long', async () => {
  const { lease } = aNode(2);
  await lease('small', 1);
  for (let asked = 0; asked < 5; asked += 1) {
    await lease('large', 2);
    expect((await lease('other', 1)).leased).toBeNull();
    now_ms += 20_000;
  }
});

test('a later attempt at a reservation keeps the place of the earlier one', async () => {
  const { root, lease } = aNode(2);
  await lease('small', 1);
  await lease(claimOf('large', { attempt: 1 }), 2);
  await lease('other', 2);
  await lease(claimOf('large', { attempt: 2 }), 2);
  await release(root, 'small');
  expect((await lease('other', 2)).leased).toBeNull();
  expect((await lease(claimOf('large', { attempt: 2 }), 2)).leased).toHaveLength(2);
});

test('a waiter whose workflow is closed does not hold up the line', async () => {
  const { lease, closed } = aNode(2);
  await lease('small', 1);
  await lease('large', 2);
  closed.add('large');
  expect((await lease('other', 1)).leased).toHaveLength(1);
});

test('a request that processes of others keep from being served for a minute lets smaller ones pass, and keeps its place', async () => {
  const used: Record<string, string> = { 'GPU-1': 'pid 77 (python train.py)' };
  const { root, lease, gpus } = aNode(2, used);
  for (let asked = 0; asked < 3; asked += 1) {
    expect((await lease('large', 2)).leased).toBeNull();
    expect((await lease('small', 1)).why).toContain('large (namespace default) asked first');
    now_ms += 21_000;
  }
  await lease('large', 2);
  expect((await lease('small', 1)).leased).toEqual(['GPU-0']);
  expect((await lease('other', 1)).leased).toBeNull();
  for (const gpu of gpus) gpu.used_by = null;
  await release(root, 'small');
  expect((await lease('other', 1)).why).toContain('large (namespace default) asked first');
  expect((await lease('large', 2)).leased).toHaveLength(2);
});
