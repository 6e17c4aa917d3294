import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { replayAll } from '../../bench/faults/check/replay-histories.ts';

/** Histories of real runs, disturbed ones among them, replay with the workflows as they are now: runs that go on survive an upgrade. */

const here = fileURLToPath(new URL('.', import.meta.url));
const package_root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gavel-replay-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const names = readdirSync(here).filter((name) => name.endsWith('.json'));

it('replays every recorded history', async () => {
  expect(names.length).toBeGreaterThanOrEqual(12);
  expect(await replayAll(here, package_root)).toEqual([]);
});

it('finds a history that these workflows would not have made', async () => {
  const name = names.find((each) => /grpo\./.test(each)) as string;
  cpSync(join(here, name), join(folder, name));
  const history = JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const reserved = history.events.find(
    (event: { activityTaskScheduledEventAttributes?: { activityType: { name: string } } }) =>
      event.activityTaskScheduledEventAttributes?.activityType.name === 'reserveNode',
  );
  reserved.activityTaskScheduledEventAttributes.activityType.name = 'writeReport';
  writeFileSync(join(folder, name), JSON.stringify(history));
  expect((await replayAll(folder, package_root)).map(({ assertion }) => assertion)).toEqual(['every history replays']);
});

it('holds no path of the machine that it was recorded on', () => {
  for (const name of names) {
    const text = readFileSync(join(here, name), 'utf8').replace(/"data":"([^"]*)"/g, (_, data) =>
      Buffer.from(data, 'base64').toString('utf8'),
    );
    expect(text).not.toMatch(/\/(tmp|work|home|root|Users)\//);
  }
});
