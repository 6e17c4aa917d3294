import type { Claim, Owner } from '../contracts/reservation.ts';
import { followsReservation } from '../contracts/reservation.ts';

/** Comparisons of two claims. */

/** The same attempt at the same reservation. */
export const isSame = (a: Claim, b: Claim): boolean =>
  a.root === b.root && a.reservation === b.reservation && a.attempt === b.attempt;

/** The same reservation, at whichever attempt. */
export const isOneReservation = (a: Claim, b: Claim): boolean => a.root === b.root && a.reservation === b.reservation;

/** Whether `newer` supersedes `older`: a later attempt at its reservation, or a later reservation of its owner. */
export function supersedes(newer: Claim, older: Claim): boolean {
  if (newer.root !== older.root) return false;
  if (newer.reservation === older.reservation) return newer.attempt > older.attempt;
  return followsReservation(newer.reservation, older.reservation);
}

/** An owner as people read it. */
export const nameOf = (owner: Owner): string =>
  owner.kind === 'workflow'
    ? `${owner.workflow_id} (namespace ${owner.namespace})`
    : `${owner.purpose} (pid ${Number.parseInt(owner.process, 10)} on ${owner.machine.split(' ')[0]})`;
