import { readFile } from 'node:fs/promises';
import { Alarm } from '../contracts/alarm.ts';
import { orNull, readableLines } from './files.ts';

/**
 * `report/alarms.jsonl`: what trainers said of trainings that were going wrong. A line that cannot be read is left out, and said
 * in `problems`. Of two alarms at one step the newer attempt's counts: that step was done again.
 */
export async function readAlarms(path: string, problems: string[] = []): Promise<Alarm[]> {
  const text = await readFile(path, 'utf8').catch(orNull);
  const { lines, unread } = readableLines(text ?? '', Alarm);
  if (unread > 0) problems.push(`${unread} line(s) of report/alarms.jsonl could not be read and were left out.`);
  return lastOfEach(lines, ({ stage, alarm, step }) => `${stage} ${alarm} ${step}`);
}

/** The latest of each name and stage. */
export const latestAlarms = (all: readonly Alarm[]): Alarm[] =>
  lastOfEach(all, ({ stage, alarm }) => `${stage} ${alarm}`);

function lastOfEach(all: readonly Alarm[], keyOf: (alarm: Alarm) => string): Alarm[] {
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}
