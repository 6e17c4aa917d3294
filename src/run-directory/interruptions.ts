import { readFile } from 'node:fs/promises';
import { Interruption, type InterruptionTotals } from '../contracts/interruption.ts';
import { orNull, readableLines } from './files.ts';

/**
 * `report/interruptions.jsonl`: each interruption when it is found, and again, with the seconds that it cost, once work is
 * committed. Of two lines about one interruption the later counts.
 */

/**
 * All interruptions of a run, each once, in the order in which they happened. A line that cannot be read is left out, and said in
 * `problems`: it must not hide the others.
 */
export async function readInterruptions(path: string, problems: string[] = []): Promise<Interruption[]> {
  const text = await readFile(path, 'utf8').catch(orNull);
  if (text === null) return [];
  const { lines, unread } = readableLines(text, Interruption);
  if (unread > 0) problems.push(`${unread} line(s) of report/interruptions.jsonl could not be read and were left out.`);
  return eachOnce(lines);
}

/** Each interruption once, its last line, in the order in which they happened. */
export function eachOnce(lines: readonly Interruption[]): Interruption[] {
  const known = new Map<string, Interruption>();
  for (const line of lines) known.set(keyOf(line), line);
  return [...known.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

// An attempt ends once, so its epoch identifies its end. The moment identifies a server's death within it.
const keyOf = ({ stage, epoch, at, what }: Interruption) => `${stage} ${epoch ?? `${at} ${what}`}`;

const SHOWN = 5;

/** Totals of a list of interruptions. */
export function totalsOf(all: readonly Interruption[]): InterruptionTotals {
  const by_cause: Record<string, number> = {};
  for (const { cause } of all) by_cause[cause] = (by_cause[cause] ?? 0) + 1;
  const steps_lost = all.reduce((sum, one) => sum + (one.steps_lost ?? 0), 0);
  return { count: all.length, steps_lost, by_cause, latest: all.slice(-SHOWN) };
}
