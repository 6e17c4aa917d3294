import { readdir, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { Claim } from '../../src/contracts/reservation.ts';
import { holdGpus } from '../../src/gpus/hold-gpus.ts';
import { beat } from '../../src/gpus/owner-lives.ts';
import { machineName, processName } from '../../src/process/stat.ts';
import { createRoot } from '../../src/run-directory/root.ts';
import { aNode, claimOf, farProcess } from './a-node.ts';

afterEach(() => vi.restoreAllMocks());

async function aRoot(count: number) {
  const node = aNode(count);
  const id = await createRoot(node.root);
  const hold = (wanted: number) => {
    const { root, gpus } = node;
    return holdGpus({ root, node: 'a', count: wanted, purpose: 'gavel serve my-run', gpus });
  };
  return { ...node, id, hold, of: (claim: Claim): Claim => ({ ...claim, root: id }) };
}

test('a command without a workflow holds GPUs that no run gets until it releases them', async () => {
  const { hold, lease, of, folder } = await aRoot(2);
  const held = await hold(1);
  expect(held.gpus).toEqual(['GPU-0']);
  const refused = await lease(of(claimOf('run')), 2);
  expect(refused.why).toContain(`GPU-0 is leased by gavel serve my-run (pid ${process.pid} on `);
  await held.release();
  expect((await lease(of(claimOf('run')), 2)).leased).toHaveLength(2);
  expect(await readdir(join(folder, 'beats'))).toEqual([]);
});

test('beats that killed processes left are removed, and those of living ones are not', async () => {
  const { hold, folder } = await aRoot(1);
  await beat(folder, claimOf('living'), 1);
  await beat(folder, { ...claimOf('killed'), reservation: 'killed' }, 1);
  const left = join(folder, 'beats/killed');
  const hours_ago = Date.now() / 1000 - 7200;
  await utimes(left, hours_ago, hours_ago);
  const before = await readdir(join(folder, 'beats'));
  const held = await hold(1);
  const after = await readdir(join(folder, 'beats'));
  expect(before.filter((name) => !after.includes(name))).toEqual(['killed']);
  await held.release();
});

test('it does not wait, says who has the GPUs, and leaves no place in the line behind', async () => {
  const { hold, lease, of, folder } = await aRoot(1);
  await lease(of(claimOf('run')), 1);
  await expect(hold(1)).rejects.toThrow('GPU-0 is leased by run (namespace default)');
  expect(await readdir(join(folder, 'queue'))).toEqual([]);
});

test('what a process held that has died is free, also where another has its id', async () => {
  const { lease, of } = await aRoot(1);
  const started = processName(process.pid)?.replace(/:.*/, ':1') ?? '';
  const gone: Claim = {
    ...farProcess(),
    owner: { kind: 'process', machine: machineName(), process: started, purpose: 'gavel serve dead' },
  };
  await lease(of(gone), 1);
  expect((await lease(of(claimOf('run')), 1)).leased).toEqual(['GPU-0']);
});

test('a process of another machine is gone once its beat has not changed for 30 s', async () => {
  const { lease, of, folder } = await aRoot(1);
  const far = of(farProcess());
  let now_ms = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now_ms);
  await lease(far, 1);
  for (let number = 0; number < 4; number += 1) {
    await beat(folder, far, number);
    expect((await lease(of(claimOf('run')), 1)).leased).toBeNull();
    now_ms += 20_000;
  }
  now_ms += 11_000;
  expect((await lease(of(claimOf('run')), 1)).leased).toEqual(['GPU-0']);
});
