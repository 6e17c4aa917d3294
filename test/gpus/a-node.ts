import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Claim, WorkflowOwner } from '../../src/contracts/reservation.ts';
import { leaseGpus } from '../../src/gpus/leases.ts';
import type { Gpu } from '../../src/gpus/list.ts';
import { temporaryFolder } from '../temporary-folder.ts';

export const ROOT_ID = '0f5e2c1a-6f0e-4a55-9a3f-3d7d6f0b7c11';

/** A claim of the workflow `id`: its first reservation, at the first attempt, unless said otherwise. */
export function claimOf(id: string, { number = 1, attempt = 1, namespace = 'default' } = {}): Claim {
  const owner = {
    kind: 'workflow' as const,
    namespace,
    namespace_id: namespace,
    workflow_id: id,
    run_id: `run of ${id}`,
  };
  return { root: ROOT_ID, owner, reservation: `run of ${id}.${number}`, attempt };
}

/** A node `a` with `count` GPUs. Workflows run until they are in `closed`. */
export function aNode(count: number, used: Record<string, string> = {}) {
  const root = temporaryFolder('gpus');
  const gpus: Gpu[] = Array.from({ length: count }, (_, index) => {
    const uuid = `GPU-${index}`;
    return { uuid, index, name: 'H100', memory_mib: 81559, used_by: used[uuid] ?? null };
  });
  const closed = new Set<string>();
  const workflowRuns = async ({ workflow_id }: WorkflowOwner) => !closed.has(workflow_id);
  const lease = (claim: Claim | string, wanted: number, node = 'a') =>
    leaseGpus({
      root,
      node,
      count: wanted,
      claim: typeof claim === 'string' ? claimOf(claim) : claim,
      gpus,
      workflowRuns,
    });
  const folder = join(root, '.gavel/leases/a');
  return { root, folder, lease, closed, gpus };
}

/** A claim of a process on another machine, which cannot be looked up here. */
export const farProcess = (): Claim => ({
  root: ROOT_ID,
  owner: { kind: 'process', machine: 'elsewhere', process: '1:1', purpose: 'gavel serve far' },
  reservation: randomUUID(),
  attempt: 1,
});
