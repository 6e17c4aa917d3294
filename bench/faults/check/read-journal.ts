import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { JournalEntry } from '../../../src/contracts/journal.ts';
import { namesIn } from './read-run-directory.ts';

/** The journal of served rollouts as docs/run-directory.md describes it, read without any of gavel's own readers. */

/** A completion that a server sampled, and the line that holds it. */
export interface Journaled extends JournalEntry {
  epoch: number;
  file: string;
  /** Where its line begins, and the first byte after it. */
  from: number;
  end: number;
}

/** `step:group:rollout`. */
export const journalPlace = ({ step, group, rollout }: Pick<Journaled, 'step' | 'group' | 'rollout'>) =>
  `${step}:${group}:${rollout}`;

/** The entries of all epochs under `folder`, the oldest epoch first; each epoch has a folder of its own there. */
export function readJournals(folder: string): Journaled[] {
  const epochs = namesIn(folder).filter((name) => /^\d+$/.test(name));
  return epochs.flatMap((epoch) => journalsOf(join(folder, epoch)).flatMap((path) => readJournal(path)));
}

export const journalsOf = (epoch: string): string[] =>
  namesIn(epoch)
    .filter((name) => /^journal-\d+-\d+\.jsonl$/.test(name))
    .map((name) => join(epoch, name));

/** The entries of one file whose lines are whole and match their checksums. */
export function readJournal(path: string): Journaled[] {
  const bytes = readFileSync(path);
  const [file, epoch] = [basename(path), Number(basename(dirname(path)))];
  const found: Journaled[] = [];
  for (let from = 0; from < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, from);
    if (newline < 0) break;
    const entry = entryIn(bytes.subarray(from, newline));
    if (entry) found.push({ ...entry, epoch, file, from, end: newline + 1 });
    from = newline + 1;
  }
  return found;
}

/** A line is the CRC-32 of its JSON in eight hex digits, a space, and that JSON. */
function entryIn(line: Buffer): JournalEntry | null {
  const body = line.subarray(9);
  const checksum = `${crc32(body).toString(16).padStart(8, '0')} `;
  if (line.subarray(0, 9).toString('latin1') !== checksum) return null;
  return JSON.parse(body.toString('utf8')) as JournalEntry;
}
