import type { Manifest } from '../../../src/contracts/stage.ts';
import type { Logged } from '../observe/event-log.ts';
import type { Assertion, Violation } from './assertions.ts';
import type { RunDirectory } from './read-run-directory.ts';

/** Where an epoch began, by its `epoch.json` as it was first seen: a fault may have damaged the file since. */
export interface Begun {
  epoch: number;
  starts_from: string | null;
  started_at: string;
}

/** The epochs of a stage that wrote a record, oldest first. */
export function recordsOf(run: RunDirectory, stage: string, events: readonly Logged[]): Map<number, Begun> {
  const found = new Map<number, Begun>();
  for (const event of events) if (event.event === 'epoch' && event.stage === stage) found.set(event.epoch, event);
  for (const epoch of run.epochs(stage)) {
    const record = run.record(stage, epoch);
    if (record && !found.has(epoch)) found.set(epoch, record);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** Walks the chain of the stage's last checkpoint back to its first, and holds it against the records of the epochs. */
export function brokenChain(run: RunDirectory, stage: string, events: readonly Logged[]): Violation[] {
  const found: Violation[] = [];
  const say = (assertion: Assertion, detail: string) => found.push({ assertion, detail: `${stage}: ${detail}` });
  const records = recordsOf(run, stage, events);
  let later: Manifest | null = null;
  for (const { name, manifest } of run.chain(stage, run.result(stage).result?.checkpoint ?? null)) {
    const damage = run.checkpointDamage(stage, name);
    if (damage !== null) say('every published file matches its digest', `${name}: ${damage}`);
    if (!manifest) break;
    if (later && manifest.step >= later.step) {
      say('committed steps strictly increase along the chain', `${later.name} comes after ${manifest.name}`);
      break;
    }
    if (later && later.epoch !== manifest.epoch) {
      const starts = records.get(later.epoch)?.starts_from;
      if (starts !== manifest.name) {
        const detail = `${later.name} follows ${manifest.name}, but its epoch began from ${starts}`;
        say('nothing from a stale epoch counts', detail);
      }
    }
    const next = [...records.values()].find(({ epoch }) => epoch > manifest.epoch);
    if (next && next.started_at < manifest.created_at) {
      const detail = `${name} was made at ${manifest.created_at}, after epoch ${next.epoch} began at ${next.started_at}`;
      say('nothing from a stale epoch counts', detail);
    }
    later = manifest;
  }
  if (later && later.step !== 0 && stage === 'grpo') {
    say('committed steps strictly increase along the chain', `the chain begins at ${later.name}, not at step 0`);
  }
  return found;
}
