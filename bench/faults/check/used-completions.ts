import type { Manifest } from '../../../src/contracts/stage.ts';
import { type Journaled, journalPlace } from './read-journal.ts';

/** Which of the journaled completions a run was trained on: of two of one place the newer, as docs/run-directory.md says. */

/** Entries of one place, the oldest epoch first. */
export type ByPlace = ReadonlyMap<string, readonly Journaled[]>;

export function byPlace(entries: readonly Journaled[]): ByPlace {
  const found = new Map<string, Journaled[]>();
  for (const entry of entries) {
    const place = journalPlace(entry);
    found.set(place, [...(found.get(place) ?? []), entry]);
  }
  return found;
}

/** What an attempt takes for `place`: it reads the journals of older epochs, and samples itself what they do not hold. */
export const usedBy = (entries: ByPlace, place: string, epoch: number): Journaled | undefined =>
  entries.get(place)?.findLast((entry) => entry.epoch <= epoch);

/** The epoch that each committed step was trained in, by the chain of its checkpoints, the first checkpoint first. */
export function epochOfSteps(chain: readonly Manifest[]): Map<number, number> {
  const epochs = new Map<number, number>();
  let before = 0;
  for (const { epoch, step } of chain) {
    for (let each = before + 1; each <= step; each += 1) epochs.set(each, epoch);
    before = step;
  }
  return epochs;
}

/** For each place of the committed steps, the completion that was trained on. */
export function usedCompletions(entries: readonly Journaled[], chain: readonly Manifest[]): Map<string, Journaled> {
  const places = byPlace(entries);
  const epochs = epochOfSteps(chain);
  const used = new Map<string, Journaled>();
  for (const [place, [first]] of places) {
    const epoch = epochs.get((first as Journaled).step);
    const entry = epoch === undefined ? undefined : usedBy(places, place, epoch);
    if (entry) used.set(place, entry);
  }
  return used;
}
