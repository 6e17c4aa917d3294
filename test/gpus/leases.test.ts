import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { releaseClaim, releaseReservation, releaseSuperseded } from '../../src/gpus/leases.ts';
import { aNode, claimOf, ROOT_ID } from './a-node.ts';

const release = (root: string, id: string, number = 1) =>
  releaseReservation(root, ROOT_ID, claimOf(id, { number }).reservation);

test('leases all or nothing, and the same again to the same claim', async () => {
  const { root, lease } = aNode(4);
  expect(await lease('gavel/one/grpo', 3)).toEqual({ leased: ['GPU-0', 'GPU-1', 'GPU-2'], why: null });
  expect(await lease('gavel/one/grpo', 3)).toEqual({ leased: ['GPU-0', 'GPU-1', 'GPU-2'], why: null });
  const refused = await lease('gavel/two/grpo', 2);
  expect(refused.leased).toBeNull();
  expect(refused.why).toContain('GPU-0 is leased by gavel/one/grpo (namespace default)');
  await release(root, 'gavel/one/grpo');
  expect((await lease('gavel/two/grpo', 2)).leased).toHaveLength(2);
});

test('two runs that race for GPUs never share one and one of them gets them', async () => {
  const { root, lease, folder } = aNode(4);
  for (let round = 0; round < 5; round += 1) {
    const ids = Array.from({ length: 8 }, (_, n) => `gavel/run-${round}-${n}/grpo`);
    // As callers do: ask until served, then give back.
    const served = new Map<string, string>();
    await Promise.all(
      ids.map(async (id) => {
        for (;;) {
          const { leased } = await lease(id, 3);
          if (!leased) {
            await new Promise((resolve) => setTimeout(resolve, 5));
            continue;
          }
          for (const uuid of leased) expect(served.get(uuid)).toBeUndefined();
          for (const uuid of leased) served.set(uuid, id);
          await new Promise((resolve) => setTimeout(resolve, 5));
          for (const uuid of leased) served.delete(uuid);
          await release(root, id);
          return;
        }
      }),
    );
  }
  expect(await readdir(join(folder, 'queue'))).toEqual([]);
  expect(await readdir(folder)).toEqual(['queue']);
}, 30_000);

test('a lease names the root, the owner in its namespace, and the reservation', async () => {
  const { lease, folder } = aNode(1);
  await lease(claimOf('gavel/one/grpo', { number: 3, attempt: 2, namespace: 'team' }), 1);
  expect(JSON.parse(await readFile(join(folder, 'GPU-0.json'), 'utf8')).claim).toEqual({
    root: ROOT_ID,
    owner: {
      kind: 'workflow',
      namespace: 'team',
      namespace_id: 'team',
      workflow_id: 'gavel/one/grpo',
      run_id: 'run of gavel/one/grpo',
    },
    reservation: 'run of gavel/one/grpo.3',
    attempt: 2,
  });
});

test('a late release of an earlier reservation leaves the next one its GPUs', async () => {
  const { root, lease, folder } = aNode(1);
  await lease(claimOf('one', { number: 1 }), 1);
  await release(root, 'one', 1);
  await lease(claimOf('one', { number: 2 }), 1);
  await release(root, 'one', 1);
  expect(await readdir(folder)).toContain('GPU-0.json');
  await release(root, 'one', 2);
  expect(await readdir(folder)).not.toContain('GPU-0.json');
});

test('a late attempt takes nothing from a later one, and gives back nothing of it', async () => {
  const { root, lease, folder } = aNode(2);
  const [early, late] = [claimOf('one', { attempt: 1 }), claimOf('one', { attempt: 2 })];
  await lease(early, 2);
  expect((await lease(late, 2)).leased).toEqual(['GPU-0', 'GPU-1']);
  expect((await lease(early, 2)).leased).toBeNull();
  await releaseSuperseded(root, early);
  await releaseClaim(root, early);
  expect((await readdir(folder)).filter((name) => name.endsWith('.json'))).toHaveLength(2);
});

test('a reservation gives back what earlier ones of the same run have left on other nodes, and nothing of others', async () => {
  const { root, lease } = aNode(1);
  await lease(claimOf('one', { number: 1 }), 1, 'a');
  await lease(claimOf('other', { number: 1 }), 1, 'c');
  const second = claimOf('one', { number: 2 });
  await lease(second, 1, 'b');
  await releaseSuperseded(root, second);
  const left = await readdir(join(root, '.gavel/leases'), { recursive: true });
  expect(left.filter((name) => name.endsWith('.json')).sort()).toEqual(['b/GPU-0.json', 'c/GPU-0.json']);
});

test('breaks the lease of an owner whose workflow is closed', async () => {
  const { lease, closed } = aNode(2);
  await lease('dead', 2);
  expect((await lease('living', 1)).leased).toBeNull();
  closed.add('dead');
  expect(await lease('living', 1)).toEqual({ leased: ['GPU-0'], why: null });
});

test('a lease that came with a copy of another root is void', async () => {
  const { lease } = aNode(1);
  await lease({ ...claimOf('elsewhere'), root: '5b1f7c7e-0b45-4c3a-8f0e-7a6b3f1d2c99' }, 1);
  expect((await lease('here', 1)).leased).toEqual(['GPU-0']);
});

test('a lease that cannot be read is void once it has not changed for a while, whatever its time is', async () => {
  const { lease, folder } = aNode(1);
  await lease('nobody', 0);
  await writeFile(join(folder, 'GPU-0.json'), '');
  const clock = vi.spyOn(performance, 'now').mockReturnValue(1_000_000);
  expect((await lease('one', 1)).leased).toBeNull();
  clock.mockReturnValue(1_011_000);
  expect((await lease('one', 1)).leased).toEqual(['GPU-0']);
  clock.mockRestore();
});

test('refuses a GPU that someone else is using, and says who', async () => {
  const { lease } = aNode(2, { 'GPU-1': 'pid 77 (python train.py)' });
  const { leased, why } = await lease('one', 2);
  expect(leased).toBeNull();
  expect(why).toContain('GPU-1 is in use by pid 77 (python train.py)');
  expect((await lease('two', 1)).leased).toBeNull();
});

test('says at once when a node never could give so many', async () => {
  const { lease } = aNode(2);
  expect((await lease('one', 3)).why).toBe('a has 2 GPUs that gavel may use; 3 are asked for.');
  expect(await lease('none', 0)).toEqual({ leased: [], why: null });
});

test('nodes with the same GPU ids do not meet', async () => {
  const { lease } = aNode(1);
  expect((await lease('one', 1, 'a')).leased).toEqual(['GPU-0']);
  expect((await lease('two', 1, 'b')).leased).toEqual(['GPU-0']);
});
