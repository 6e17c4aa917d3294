import { join } from 'node:path';
import { readLeases } from './lease-files.ts';
import type { Gpu } from './list.ts';
import { stillFor } from './still.ts';

// The memory of a process that was killed is free within seconds; what uses a GPU for longer is at work there.
const SETTLED_MS = 60_000;

/**
 * Says of a number of GPUs whether this node cannot give so many, whatever its leases, because processes that hold no lease use
 * the others and have done so for a minute.
 */
export async function outOfReach(folder: string, gpus: readonly Gpu[]): Promise<(count: number) => boolean> {
  const leased = new Set((await readLeases(folder)).map(({ file }) => file.uuid));
  const strange = gpus.filter(({ uuid, used_by }) => used_by !== null && !leased.has(uuid)).map(({ uuid }) => uuid);
  const settled = stillFor(join(folder, 'strangers'), strange.sort().join(' ')) > SETTLED_MS;
  return (count) => settled && gpus.length - strange.length < count;
}
