import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest, RolloutRecord } from '../../../src/contracts/stage.ts';
import type { Logged } from '../observe/event-log.ts';
import type { ServedAssertion, Violation } from './assertions.ts';
import { recordsOf } from './committed-chain.ts';
import { type Journaled, journalPlace, readJournals } from './read-journal.ts';
import { namesIn, parsed, type RunDirectory } from './read-run-directory.ts';
import { byPlace, usedBy, usedCompletions } from './used-completions.ts';

/** What must hold of rollouts that servers sample: journal, committed rollouts, adapters and checkpoints agree. */

export interface ServedRun {
  run: RunDirectory;
  events: readonly Logged[];
  /** Copies of the journals as they were written, an epoch a folder. */
  journals: string;
}

const AHEAD = 1;
const WEIGHTS = 'adapter_model.safetensors';

const violation = (assertion: ServedAssertion, detail: string): Violation => ({ assertion, detail });

export function journalViolations(served: ServedRun): Violation[] {
  const { run, events, journals } = served;
  const entries = readJournals(journals);
  const chain = [...run.chain('grpo', run.result('grpo').result?.checkpoint ?? null)].flatMap(({ manifest }) =>
    manifest ? [manifest] : [],
  );
  const used = usedCompletions(entries, chain.toReversed());
  const rollouts = chain.flatMap(({ name }) => run.rollouts('grpo', name));
  return [
    ...unjournaled(rollouts, used, vocabularyOf(run)),
    ...ofOtherAdapters([...used.values()], chain),
    ...tooOld([...used.values()]),
    ...judgedTooSoon(run, entries),
    ...sampledAgain(served, entries),
    ...adaptersLeft(run, events),
  ];
}

/** Token ids to text, where the policy's tokenizer writes each token as its entry in the vocabulary; special tokens are left out. */
function vocabularyOf(run: RunDirectory): (ids: readonly number[]) => string {
  const spec = parsed<{ policy: { model: string } }>(join(run.dir, 'spec.json'));
  const path = join(run.dir, '../..', spec?.policy.model ?? '', 'tokenizer.json');
  const tokenizer = parsed<{
    model: { vocab: Record<string, number> };
    decoder: { type: string };
    added_tokens: { id: number; special: boolean }[];
  }>(path);
  if (tokenizer?.decoder.type !== 'Fuse') throw new Error(`${path}: expected a tokenizer that joins its tokens`);
  const text = new Map(Object.entries(tokenizer.model.vocab).map(([token, id]) => [id, token]));
  for (const { id, special } of tokenizer.added_tokens) if (special) text.delete(id);
  return (ids) => ids.map((id) => text.get(id) ?? '').join('');
}

function unjournaled(
  rollouts: readonly RolloutRecord[],
  used: ReadonlyMap<string, Journaled>,
  decode: (ids: readonly number[]) => string,
): Violation[] {
  const assertion = 'every committed completion is in the journal';
  return rollouts.flatMap((rollout) => {
    const place = journalPlace(rollout);
    const entry = used.get(place);
    if (!entry) return [violation(assertion, `${place} is not`)];
    const text = decode(entry.token_ids);
    if (text === rollout.completion && entry.prompt_id === rollout.prompt_id) return [];
    const detail = `${place}: epoch ${entry.epoch} journaled ${JSON.stringify(text)} for ${entry.prompt_id}`;
    return [violation(assertion, `${detail}, ${JSON.stringify(rollout.completion)} was trained on`)];
  });
}

/** The adapter after a step has one digest in the whole chain, and it is that of the checkpoint at that step. */
function ofOtherAdapters(used: readonly Journaled[], chain: readonly Manifest[]): Violation[] {
  const digests = new Map(chain.map(({ step, files }) => [step, files[WEIGHTS]?.sha256]));
  const found: Violation[] = [];
  for (const { adapter, adapter_step, adapter_sha256, epoch, ...entry } of used) {
    const own = adapter === `policy-v${String(adapter_step).padStart(6, '0')}.e${epoch}`;
    const expected = digests.get(adapter_step) ?? adapter_sha256;
    digests.set(adapter_step, expected);
    if (own && expected === adapter_sha256) continue;
    const detail = `${journalPlace(entry)} was sampled by ${adapter} (${adapter_sha256.slice(0, 12)}) in epoch ${epoch}`;
    const assertion = 'every completion comes from an adapter of the chain';
    found.push(violation(assertion, `${detail}, the chain has ${expected.slice(0, 12)} after step ${adapter_step}`));
  }
  return found;
}

const tooOld = (used: readonly Journaled[]): Violation[] =>
  used.flatMap(({ adapter, adapter_step, ...entry }) => {
    const age = entry.step - 1 - adapter_step;
    const detail = `${journalPlace(entry)} was sampled by ${adapter}, ${age} updates old`;
    return age >= 0 && age <= AHEAD ? [] : [violation('no completion is more than one update old', detail)];
  });

/** Each question of a trainer to its gateway comes after the line of its completion is durable. */
function judgedTooSoon(run: RunDirectory, entries: readonly Journaled[]): Violation[] {
  const assertion = 'no completion is judged before it is in the journal';
  const places = byPlace(entries);
  const found: Violation[] = [];
  let asked = 0;
  for (const epoch of run.epochs('grpo')) {
    const durable = new Map<string, number>();
    for (const operation of run.operations('grpo', epoch)) {
      if (operation.op === 'journal')
        durable.set(operation.path.slice(operation.path.lastIndexOf('/') + 1), operation.bytes);
      const place = operation.op === 'ask' ? /^grpo:(\d+:\d+:\d+)$/.exec(operation.occasion)?.[1] : undefined;
      if (place === undefined) continue;
      asked += 1;
      const there = places.get(place)?.some((entry) => {
        return entry.epoch < epoch || (entry.epoch === epoch && entry.end <= (durable.get(entry.file) ?? 0));
      });
      if (!there) found.push(violation(assertion, `epoch ${epoch} had ${place} judged`));
    }
  }
  // A recorder that was not there would find nothing wrong.
  return asked === 0 && entries.length > 0 ? [violation(assertion, 'no question was recorded')] : found;
}

/**
 * An attempt samples a place that an older epoch has in its journal only where the line is damaged, where it was written after the
 * attempt began, or where this attempt's weights are others: it has sampled a step anew that the adapter of the line has learned from.
 */
function sampledAgain({ run, events, journals }: ServedRun, entries: readonly Journaled[]): Violation[] {
  const places = byPlace(entries);
  const damaged = new Set(
    events.flatMap((event) => (event.event === 'journal_damaged' ? [`${event.epoch} ${event.place}`] : [])),
  );
  const began = recordsOf(run, 'grpo', events);
  const durable = durableAt(run, journals);
  const anew = (epoch: number, older: Journaled) =>
    entries.some(({ step, ...entry }) => {
      const newest = usedBy(places, journalPlace({ step, ...entry }), epoch);
      return (
        step <= older.adapter_step && step >= resumedAt(events, epoch) - AHEAD && (newest?.epoch ?? 0) > older.epoch
      );
    });
  return entries.flatMap((entry) => {
    const older = places.get(journalPlace(entry))?.findLast(({ epoch }) => epoch < entry.epoch);
    if (!older || damaged.has(`${older.epoch} ${journalPlace(older)}`)) return [];
    const started = Date.parse(began.get(entry.epoch)?.started_at ?? '');
    if (!(durable(older) < started) || anew(entry.epoch, older)) return [];
    const detail = `epoch ${entry.epoch} sampled ${journalPlace(entry)}, which epoch ${older.epoch} had journaled`;
    return [violation('no completion in the journal is sampled again', detail)];
  });
}

const resumedAt = (events: readonly Logged[], epoch: number): number =>
  events.flatMap((event) =>
    event.event === 'epoch' && event.stage === 'grpo' && event.epoch === epoch ? [event.resumed_step] : [],
  )[0] ?? 0;

/** When the line of an entry was durable, in ms; never where its trainer recorded no fsync of it. */
function durableAt(run: RunDirectory, journals: string): (entry: Journaled) => number {
  const synced = new Map<string, { bytes: number; at: number }[]>();
  for (const name of namesIn(journals)) {
    for (const operation of run.operations('grpo', Number(name))) {
      if (operation.op !== 'journal') continue;
      const id = `${Number(name)} ${operation.path.slice(operation.path.lastIndexOf('/') + 1)}`;
      synced.set(id, [...(synced.get(id) ?? []), { bytes: operation.bytes, at: 1000 * operation.at }]);
    }
  }
  return ({ epoch, file, end }) =>
    synced.get(`${epoch} ${file}`)?.find(({ bytes }) => bytes >= end)?.at ?? Number.POSITIVE_INFINITY;
}

/** The folders of the newest epoch are gone with its trainer; a trainer that was killed has left the last few. */
function adaptersLeft(run: RunDirectory, events: readonly Logged[]): Violation[] {
  const assertion = 'adapters of older steps are unloaded and removed';
  const newest = run.epochs('grpo').at(-1) ?? 0;
  const found: Violation[] = [];
  if (existsSync(join(run.epoch('grpo', newest), 'adapters')))
    found.push(violation(assertion, `epoch ${newest} has left its folder`));
  for (const epoch of run.epochs('grpo')) {
    const names = namesIn(join(run.epoch('grpo', epoch), 'adapters')).filter((name) => !name.startsWith('.'));
    // While one is published there is one more than completions are sampled from.
    if (names.length > AHEAD + 2) found.push(violation(assertion, `epoch ${epoch} has left ${names.join(', ')}`));
  }
  for (const event of events) {
    if (event.event !== 'adapters') continue;
    for (const epoch of new Set(event.names.map((name) => name.split('.e')[1]))) {
      const own = event.names.filter((name) => name.endsWith(`.e${epoch}`));
      if (own.length > AHEAD + 1)
        found.push(violation(assertion, `${event.server} had ${own.join(', ')} loaded at once`));
    }
  }
  return found;
}
