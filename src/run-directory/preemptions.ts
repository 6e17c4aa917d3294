import { readFile } from 'node:fs/promises';
import { Preemption } from '../contracts/status.ts';
import { orNull, readableLines } from './files.ts';

/**
 * `report/preemptions.jsonl`: each preemption when it is found, and again, with the seconds that it cost, once work is committed.
 * Of two lines about one preemption the later counts.
 */

/**
 * All preemptions of a run, each once, in the order in which they struck; null where none was ever written.
 * A line that cannot be read is left out, and said in `problems`: it must not hide the others.
 */
export async function readPreemptions(path: string, problems: string[] = []): Promise<Preemption[] | null> {
  const text = await readFile(path, 'utf8').catch(orNull);
  if (text === null) return null;
  const { lines, unread } = readableLines(text, Preemption);
  if (unread > 0) problems.push(`${unread} line(s) of report/preemptions.jsonl could not be read and were left out.`);
  return eachOnce(lines);
}

/** The file's preemptions and those that a workflow knows: it has forgotten what came before a resume, the file what a full disk kept out. */
export function mergePreemptions(written: Preemption[] | null, told: Preemption[] | null): Preemption[] | null {
  if (!written || !told) return written ?? told;
  const isOpen = (preemption: Preemption) => preemption.seconds_to_next_commit === null;
  const all = [...told, ...written];
  // Of two lines about one preemption the later counts: that which says what it cost.
  return eachOnce([...all.filter(isOpen), ...all.filter((preemption) => !isOpen(preemption))]);
}

function eachOnce(preemptions: readonly Preemption[]): Preemption[] {
  const known = new Map<string, Preemption>();
  for (const preemption of preemptions) known.set(keyOf(preemption), preemption);
  return [...known.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

const keyOf = ({ stage, at, what }: Preemption) => `${stage} ${at} ${what}`;
