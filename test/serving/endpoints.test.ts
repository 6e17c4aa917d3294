import { readdir, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Endpoint } from '../../src/contracts/stage.ts';
import {
  claimEndpoint,
  claimsOf,
  type EndpointClaim,
  keepPublished,
  publishEndpoint,
  readEndpoint,
  withdrawEndpoint,
} from '../../src/serving/endpoints.ts';
import { aRun, anEndpoint as endpoint } from '../run-directory/a-run.ts';

const newer: Endpoint = { ...endpoint, base_url: 'http://127.0.0.1:8001/v1', started_at: '2030-01-01T00:01:00Z' };
const always = async () => true;

async function claimed(paths: Awaited<ReturnType<typeof aRun>>, order: number | null): Promise<EndpointClaim> {
  const claim = await claimEndpoint(paths, 'judge', order);
  if (claim === null) throw new Error(`Expected claim ${order} to be the newest.`);
  return claim;
}

test('an endpoint is published, replaced and withdrawn only by the one that it names', async () => {
  const paths = await aRun();
  expect(await readEndpoint(paths, 'judge')).toBeNull();
  await publishEndpoint(paths, 'judge', endpoint);
  // In containers two servers may have the same host and pid.
  await publishEndpoint(paths, 'judge', newer);
  await withdrawEndpoint(paths, 'judge', endpoint);
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
  await withdrawEndpoint(paths, 'judge', newer);
  expect(await readEndpoint(paths, 'judge')).toBeNull();
});

test('an endpoint whose URL holds control characters is no endpoint', async () => {
  const paths = await aRun();
  await publishEndpoint(paths, 'judge', endpoint);
  for (const base_url of ['http://127.0.0.1:1/\u001b]52;c;aGk=\u0007v1', 'http://127.0.0.1:1/\u009b2Jv1'])
    await expect(publishEndpoint(paths, 'judge', { ...endpoint, base_url })).rejects.toThrow(/base_url/);
});

test('a claim removes what older servers said', async () => {
  const paths = await aRun();
  await keepPublished(paths, 'judge', endpoint, (await claimed(paths, 1000)).isNewest);
  await claimed(paths, 2000);
  expect(await readEndpoint(paths, 'judge')).toBeNull();
  expect(await readdir(claimsOf(paths, 'judge'))).toEqual(['2000.json']);
});

test('a stale start gets no claim and removes nothing', async () => {
  const paths = await aRun();
  await keepPublished(paths, 'judge', newer, (await claimed(paths, 2000)).isNewest);
  expect(await claimEndpoint(paths, 'judge', 1000)).toBeNull();
  expect(await claimEndpoint(paths, 'judge', 2000)).toBeNull();
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
  expect(await readdir(claimsOf(paths, 'judge'))).toEqual(['2000.json']);
});

test('a server without an order comes after all that were there, and before later attempts of the Temporal server', async () => {
  const paths = await aRun();
  const attempt = await claimed(paths, 1000);
  const served = await claimed(paths, null);
  expect(await attempt.isNewest()).toBe(false);
  await claimed(paths, 1002);
  expect(await served.isNewest()).toBe(false);
});

test('an older server publishes nothing once a newer one has claimed, whether or not that serves already', async () => {
  const paths = await aRun();
  const old = await claimed(paths, 1000);
  const now = await claimed(paths, 2000);
  expect(await keepPublished(paths, 'judge', endpoint, old.isNewest)).toBe(false);
  expect(await readEndpoint(paths, 'judge')).toBeNull();
  expect(await keepPublished(paths, 'judge', newer, now.isNewest)).toBe(true);
  expect(await keepPublished(paths, 'judge', endpoint, old.isNewest)).toBe(false);
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
});

test('an older server that is overtaken between its look and its write takes that back', async () => {
  const paths = await aRun();
  const old = await claimed(paths, 1000);
  let looks = 0;
  const overtaken = async () => {
    looks += 1;
    if (looks === 2) await claimEndpoint(paths, 'judge', 2000);
    return old.isNewest();
  };
  expect(await keepPublished(paths, 'judge', endpoint, overtaken)).toBe(false);
  expect(await readEndpoint(paths, 'judge')).toBeNull();
});

test('a living server puts back what was overwritten, removed or damaged, and writes nothing that is there', async () => {
  const paths = await aRun();
  await publishEndpoint(paths, 'judge', endpoint);
  expect(await keepPublished(paths, 'judge', newer, always)).toBe(true);
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
  await withdrawEndpoint(paths, 'judge', newer);
  await keepPublished(paths, 'judge', newer, always);
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
  await writeFile(paths.endpoint('judge'), '{"role": "ju');
  await keepPublished(paths, 'judge', newer, always);
  expect(await readEndpoint(paths, 'judge')).toEqual(newer);
  const looks: number[] = [];
  await keepPublished(paths, 'judge', newer, async () => looks.push(1) > 0);
  expect(looks).toHaveLength(1);
});

test('of servers that claim at once exactly the newest ends up with the claim', async () => {
  const paths = await aRun();
  for (let round = 0; round < 10; round += 1) {
    const orders = Array.from({ length: 6 }, (_, n) => 1000 * (round + 1) + n).sort(() => Math.random() - 0.5);
    const made = await Promise.all(orders.map((order) => claimEndpoint(paths, 'judge', order)));
    const newest = await Promise.all(made.map(async (claim) => (await claim?.isNewest()) ?? false));
    expect(orders.filter((_, n) => newest[n])).toEqual([Math.max(...orders)]);
  }
});
