import { appendFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Alarm } from '../../src/contracts/alarm.ts';
import { latestAlarms, readAlarms } from '../../src/run-directory/alarms.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { InterruptionLog } from '../../src/stage/interruption-log.ts';
import { LiveView } from '../../src/stage/live-view.ts';
import { trainerEvents } from '../../src/stage/trainer-events.ts';
import { temporaryFolder } from '../temporary-folder.ts';

it("writes a trainer's alarms down, tells the workflow, and reads each step's newest", async () => {
  const paths = runPaths(temporaryFolder('alarms'), 'r');
  await mkdir(paths.report.dir, { recursive: true });
  const told: Alarm[] = [];
  const attempt = (epoch: number) =>
    trainerEvents({
      paths,
      stage: 'grpo',
      epoch,
      live: new LiveView('grpo', epoch, () => undefined),
      interruptions: new InterruptionLog(paths.report.interruptions, 'grpo', () => undefined),
      onCommit: () => undefined,
      onAlarm: (alarm) => told.push(alarm),
    });
  const drift = (step: number) => ({ event: 'alarm', alarm: 'sampler_drift', step, message: `m${step}` });
  const first = attempt(1);
  first.take(drift(3));
  first.take({ ...drift(4), alarm: 'of no contract' });
  await first.settled();
  appendFileSync(paths.report.alarms, '{"torn');
  const second = attempt(2);
  second.take(drift(3));
  second.take(drift(7));
  await second.settled();
  expect(told.map(({ epoch, step }) => [epoch, step])).toEqual([
    [1, 3],
    [2, 3],
    [2, 7],
  ]);
  const problems: string[] = [];
  const read = await readAlarms(paths.report.alarms, problems);
  expect(read.map(({ epoch, step, message }) => [epoch, step, message])).toEqual([
    [2, 3, 'm3'],
    [2, 7, 'm7'],
  ]);
  expect(latestAlarms(read)).toEqual(read.slice(1));
  expect(problems).toEqual([]);
  appendFileSync(paths.report.alarms, '{"torn');
  expect(await readAlarms(paths.report.alarms, problems)).toEqual(read);
  expect(problems).toEqual(['1 line(s) of report/alarms.jsonl could not be read and were left out.']);
});
