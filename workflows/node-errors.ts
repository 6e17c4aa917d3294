import { failureType } from '../src/failures.ts';

// A driver, a GPU or an installation of one node may cause these. Where no other node comes, they end the stage.
const FINAL = ['ModelDidNotStart', 'InvalidSpec'];
// The same, but here a limit of their own ends the stage: where no other node comes, the one at fault tries again.
const LIMITED = ['TrainerDied', 'ChildStartError'];
// No epoch counts the starts of a model server that fail.
const MAX_STARTS = 3;

/** Whether an attempt that ended so twice in a row should be made on another node. */
export const mayBeOfNode = (error: unknown): boolean => LIMITED.includes(failureType(error) ?? '');

/** Errors of a stage by node: the stage leaves a node whose error may be the node's own. */
export class NodeErrors {
  /** Nodes where the work failed; they are not to be reserved again. */
  readonly failed_on: string[] = [];
  private error: unknown = null;
  private starts = 0;

  /** Whether another reservation should be made after the work failed with `error` on `node`. */
  moves(node: string, error: unknown): boolean {
    const type = failureType(error) ?? '';
    if (type === 'ChildStartError') this.starts += 1;
    if (LIMITED.includes(type)) return this.starts < MAX_STARTS;
    // A second node that fails shows that the error is the work's own.
    if (!FINAL.includes(type) || this.error !== null) return false;
    this.failed_on.push(node);
    this.error = error;
    return true;
  }

  /** The error that ends the stage where reserving failed with `error`. */
  endOf(error: unknown): unknown {
    return failureType(error) === 'NoOtherNode' ? (this.error ?? error) : error;
  }
}
