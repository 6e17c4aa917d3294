import { readFile } from 'node:fs/promises';
import { Preemption } from '../contracts/status.ts';
import { orNull, readableLines } from './files.ts';

/**
 * `report/preemptions.jsonl`: each preemption when it is found, and again, with the seconds that it cost, once work is committed.
 * Of two lines about one preemption the later counts.
 */

/**
 * All preemptions of a run, each once, in the order in which they were found; null where none was ever written.
 * A line that cannot be read is left out, and said in `problems`: it must not hide the others.
 */
export async function readPreemptions(path: string, problems: string[] = []): Promise<Preemption[] | null> {
  const text = await readFile(path, 'utf8').catch(orNull);
  if (text === null) return null;
  const { lines, unread } = readableLines(text, Preemption);
  const known = new Map<string, Preemption>();
  for (const preemption of lines) known.set(`${preemption.stage} ${preemption.at} ${preemption.what}`, preemption);
  if (unread > 0) problems.push(`${unread} line(s) of report/preemptions.jsonl could not be read and were left out.`);
  return [...known.values()];
}
