import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { leaseGpus, releaseGpus } from '../../src/gpus/leases.ts';
import { type Gpu, listGpus } from '../../src/gpus/list.ts';

async function aNode(count: number, used: Record<string, string> = {}) {
  const root = await mkdtemp(join(tmpdir(), 'gavel-gpus-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const gpus: Gpu[] = Array.from({ length: count }, (_, index) => {
    const uuid = `GPU-${index}`;
    return { uuid, index, name: 'H100', memory_mib: 81559, used_by: used[uuid] ?? null };
  });
  const closed = new Set<string>();
  const isAlive = async (owner: string) => !closed.has(owner);
  const lease = (owner: string, wanted: number, node = 'a') =>
    leaseGpus({ root, node, count: wanted, owner, gpus, isAlive });
  const folder = join(root, '.gavel/leases/a');
  return { root, folder, lease, closed, release: (owner: string) => releaseGpus({ root, owner }) };
}

test('leases all or nothing, and the same again to the same owner', async () => {
  const { lease, release } = await aNode(4);
  expect(await lease('gavel/one/grpo', 3)).toEqual({ leased: ['GPU-0', 'GPU-1', 'GPU-2'], why: null });
  expect(await lease('gavel/one/grpo', 3)).toEqual({ leased: ['GPU-0', 'GPU-1', 'GPU-2'], why: null });
  const refused = await lease('gavel/two/grpo', 2);
  expect(refused.leased).toBeNull();
  expect(refused.why).toContain('GPU-0 is leased by gavel/one/grpo');
  await release('gavel/one/grpo');
  expect((await lease('gavel/two/grpo', 2)).leased).toHaveLength(2);
});

test('two runs that race for GPUs never share one and one of them gets them', async () => {
  const { lease, folder } = await aNode(4);
  for (let round = 0; round < 5; round += 1) {
    const owners = Array.from({ length: 8 }, (_, n) => `gavel/run-${round}-${n}/grpo`);
    // As callers do: ask until served, then give back.
    const served = new Map<string, string>();
    await Promise.all(
      owners.map(async (owner) => {
        for (;;) {
          const { leased } = await lease(owner, 3);
          if (!leased) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            continue;
          }
          for (const uuid of leased) expect(served.get(uuid)).toBeUndefined();
          for (const uuid of leased) served.set(uuid, owner);
          await new Promise((resolve) => setTimeout(resolve, 5));
          for (const uuid of leased) served.delete(uuid);
          await releaseGpus({ root: join(folder, '../../..'), owner });
          return;
        }
      }),
    );
  }
  expect(await readdir(join(folder, 'queue'))).toEqual([]);
  expect(await readdir(folder)).toEqual(['queue']);
}, 30_000);

test('serves first who asked first: a large request is not starved by small ones', async () => {
  const { lease, release } = await aNode(4);
  await lease('small-1', 2);
  expect((await lease('large', 4)).leased).toBeNull();
  expect((await lease('small-2', 1)).why).toContain('large asked first');
  await release('small-1');
  expect((await lease('small-2', 1)).leased).toBeNull();
  expect((await lease('large', 4)).leased).toHaveLength(4);
});

test('a waiter that has stopped asking loses its place', async () => {
  const { lease, folder } = await aNode(2);
  await lease('small', 1);
  await lease('large', 2);
  const [ticket = ''] = await readdir(join(folder, 'queue'));
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(join(folder, 'queue', ticket), longAgo, longAgo);
  expect((await lease('other', 1)).leased).toHaveLength(1);
});

test('breaks the lease of an owner whose workflow is closed', async () => {
  const { lease, closed } = await aNode(2);
  await lease('dead', 2);
  expect((await lease('living', 1)).leased).toBeNull();
  closed.add('dead');
  expect(await lease('living', 1)).toEqual({ leased: ['GPU-0'], why: null });
});

test('a lease that its taker did not live to write is void after a while', async () => {
  const { lease, folder } = await aNode(1);
  await lease('nobody', 0);
  const path = join(folder, 'GPU-0.json');
  await writeFile(path, '');
  expect((await lease('one', 1)).leased).toBeNull();
  const longAgo = new Date(Date.now() - 60_000);
  await utimes(path, longAgo, longAgo);
  expect((await lease('one', 1)).leased).toEqual(['GPU-0']);
});

test('refuses a GPU that someone else is using, and says who', async () => {
  const { lease } = await aNode(2, { 'GPU-1': 'pid 77 (python train.py)' });
  const { leased, why } = await lease('one', 2);
  expect(leased).toBeNull();
  expect(why).toContain('GPU-1 is in use by pid 77 (python train.py)');
  expect((await lease('two', 1)).leased).toBeNull();
});

test('says at once when a node never could give so many', async () => {
  const { lease } = await aNode(2);
  expect((await lease('one', 3)).why).toBe('a has 2 GPUs that gavel may use; 3 are asked for.');
  expect(await lease('none', 0)).toEqual({ leased: [], why: null });
});

test('nodes with the same GPU ids do not meet', async () => {
  const { lease } = await aNode(1);
  expect((await lease('one', 1, 'a')).leased).toEqual(['GPU-0']);
  expect((await lease('two', 1, 'b')).leased).toEqual(['GPU-0']);
});

// As nvidia-smi prints them with --format=csv,noheader,nounits.
const cards = [
  'GPU-aa11, 0, NVIDIA H100 80GB HBM3, 81559, 4',
  'GPU-bb22, 1, NVIDIA H100 80GB HBM3, 81559, 61000',
  'GPU-bb33, 2, NVIDIA H100 80GB HBM3, 81559, 30000',
];
const query = async (fields: string) =>
  fields.startsWith('--query-gpu') ? `${cards.join('\n')}\n` : 'GPU-bb22, 4242, /usr/bin/python3\n';

test('lists GPUs with who uses them, seen or unseen', async () => {
  const gpus = await listGpus({ query });
  expect(gpus).toHaveLength(3);
  expect(gpus[0]).toEqual({
    uuid: 'GPU-aa11',
    index: 0,
    name: 'NVIDIA H100 80GB HBM3',
    memory_mib: 81559,
    used_by: null,
  });
  expect(gpus[1]?.used_by).toBe('pid 4242 (/usr/bin/python3)');
  expect(gpus[2]?.used_by).toBe('an unseen process with 30000 MiB');
});

test.each([
  ['2,0', ['GPU-bb33', 'GPU-aa11']],
  ['GPU-aa', ['GPU-aa11']],
  ['1,9,0', ['GPU-bb22']],
  ['-1', []],
  ['', []],
  [null, ['GPU-aa11', 'GPU-bb22', 'GPU-bb33']],
])('reads CUDA_VISIBLE_DEVICES=%s as CUDA does', async (visible, expected) => {
  expect((await listGpus({ query, visible })).map(({ uuid }) => uuid)).toEqual(expected);
});

test('a machine without a driver has no GPUs, and given ids stand in for them', async () => {
  expect(await listGpus({ query: async () => '' })).toEqual([]);
  expect((await listGpus({ injected: ['g0', 'g1'] })).map(({ uuid }) => uuid)).toEqual(['g0', 'g1']);
});
