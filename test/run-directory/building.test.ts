import { spawnSync } from 'node:child_process';
import { mkdir, readdir, utimes } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { buildingPaths, sweepBuilding } from '../../src/run-directory/building.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const HOUR_MS = 3_600_000;

/** A folder of this name that was last changed so long ago. */
async function left(root: string, name: string, age_ms: number) {
  const path = join(root, 'runs', name);
  await mkdir(join(path, 'data'), { recursive: true });
  const at = new Date(Date.now() - age_ms);
  await utimes(path, at, at);
  return name;
}

const own = (root: string) => basename(buildingPaths(root, 'first-run').dir);
/** The name that a process of this machine with another id would have given. */
const nameBy = (root: string, pid: number) => own(root).replace(`-${process.pid}-`, `-${pid}-`);
const dead = () => spawnSync('true').pid;

test('removes what a killed process of this machine was building', async () => {
  const root = temporaryFolder('test');
  await left(root, nameBy(root, dead()), 2 * HOUR_MS);
  // Its id was given to another process since: only the start time differs.
  await left(root, own(root).replace(/-[0-9a-f]{6}(-[0-9a-f]{8}-)/, '-000000$1'), 2 * HOUR_MS);
  expect(await sweepBuilding(root)).toBe(2);
  expect(await readdir(join(root, 'runs'))).toEqual([]);
});

test('leaves alone what a living process builds, what is recent, what another machine builds, and runs', async () => {
  const root = temporaryFolder('test');
  const names = [
    await left(root, own(root), 48 * HOUR_MS),
    await left(root, nameBy(root, dead()), HOUR_MS / 2),
    await left(root, nameBy(root, dead()).replace(/^(.creating-first-run-)[0-9a-f]{6}/, '$1000000'), 48 * HOUR_MS),
    await left(root, 'first-run', 48 * HOUR_MS),
    await left(root, '.creating-by-hand', 48 * HOUR_MS),
  ];
  expect(await sweepBuilding(root)).toBe(0);
  expect((await readdir(join(root, 'runs'))).sort()).toEqual(names.sort());
});

test('finds nothing on a root without runs', async () => {
  expect(await sweepBuilding(temporaryFolder('test'))).toBe(0);
});
