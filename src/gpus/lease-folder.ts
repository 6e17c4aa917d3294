import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { orNull, writeAtomic } from '../run-directory/files.ts';

/** `.gavel/leases/<node>/` under a root: the leases on a node's GPUs, the line of those that wait, and how many GPUs it has. */

export const leaseFolder = (root: string, node: string): string =>
  join(root, '.gavel', 'leases', encodeURIComponent(node));

/** The folders of all nodes that ever reserved. */
export async function leaseFolders(root: string): Promise<string[]> {
  const folder = join(root, '.gavel', 'leases');
  return ((await readdir(folder).catch(orNull)) ?? []).map((node) => join(folder, node));
}

export const queueFolder = (folder: string): string => join(folder, 'queue');

/** Folder of the beats of processes that hold or want GPUs. */
export const beatFolder = (folder: string): string => join(folder, 'beats');

const countOf = (folder: string) => join(folder, 'gpu-count');

/** Records how many GPUs a node has, so that other nodes know whether any node has enough. */
export async function noteGpus(root: string, node: string, count: number): Promise<void> {
  const folder = leaseFolder(root, node);
  await mkdir(folder, { recursive: true });
  await writeAtomic(countOf(folder), String(count));
}

/** The most GPUs that any node of this root has, each as it last said. */
export async function mostGpus(root: string): Promise<number> {
  const folders = await leaseFolders(root);
  const counts = folders.map((folder) => readFile(countOf(folder), 'utf8').then(Number, () => 0));
  return Math.max(0, ...(await Promise.all(counts)));
}
