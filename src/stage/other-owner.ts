import type { WorkflowOwner } from '../contracts/reservation.ts';
import { failure } from '../failures.ts';
import { newestRecord, readEpoch } from '../run-directory/epoch-records.ts';
import type { RunPaths } from '../run-directory/paths.ts';

/**
 * Throws AttemptGivenUp, not to be tried again, where a workflow of another namespace took an epoch of the stage after this execution took
 * one: two that work on one run would take it from each other for ever. An execution that has no epoch yet may take over, since a person
 * started it.
 */
export async function refuseIfTakenOver(
  paths: RunPaths,
  stage: string,
  newest: number | null,
  own: WorkflowOwner | null,
): Promise<void> {
  if (own === null) return;
  const record = newest === null ? null : await newestRecord(paths, stage, newest);
  const other = record?.owner;
  if (!record || !other || other.namespace_id === own.namespace_id) return;
  for (let epoch = record.epoch - 1; epoch > 0; epoch -= 1) {
    const owner = (await readEpoch(paths, stage, epoch))?.owner;
    if (owner?.namespace_id !== own.namespace_id || owner.run_id !== own.run_id) continue;
    throw failure(
      'AttemptGivenUp',
      `${stage}: epoch ${record.epoch} was taken by workflow ${other.workflow_id} in the namespace ${other.namespace} ` +
        `(${other.namespace_id}), on node ${record.node}, after this workflow had taken epoch ${epoch}. One run has one owner: this ` +
        `workflow ends. To go on here, cancel the other, then \`gavel run runs/${paths.run}/spec.json --resume\`.`,
      {},
      { retry: false },
    );
  }
}
