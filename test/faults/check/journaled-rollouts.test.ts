import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WHERE_SERVED } from '../../../bench/faults/check/assertions.ts';
import { journalViolations } from '../../../bench/faults/check/journaled-rollouts.ts';
import { RunDirectory, sha256Of } from '../../../bench/faults/check/read-run-directory.ts';
import type { Event, Logged } from '../../../bench/faults/observe/event-log.ts';
import type { JournalEntry } from '../../../src/contracts/journal.ts';

/** Run directories of served rollouts, whole and broken: a checker that never fails checks nothing. */

const RUN = 'r';
const VOCABULARY = ['<pad>', '<end>', 'one', 'two', 'three'];
const BEGAN = ['2026-01-01T00:00:10.000Z', '2026-01-01T00:01:00.000Z'];
const EARLY = Date.parse(BEGAN[0] as string) / 1000 + 1;

let root: string;
let dir: string;
let events: Logged[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gavel-journal-'));
  dir = join(root, 'runs', RUN);
  events = [];
  write('../../model/tokenizer.json', {
    model: { vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])) },
    decoder: { type: 'Fuse' },
    added_tokens: [0, 1].map((id) => ({ id, special: true })),
  });
  write('spec.json', { policy: { model: 'model' } });
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, content: unknown): void {
  mkdirSync(join(dir, path, '..'), { recursive: true });
  writeFileSync(join(dir, path), typeof content === 'string' ? content : JSON.stringify(content));
}

const add = (event: Event) => events.push({ at: 0, ...event });
const digest = (step: number) => sha256Of(`weights after step ${step}`);

function entry(step: number, epoch: number, change: Partial<JournalEntry> = {}): JournalEntry {
  const adapter_step = Math.max(0, step - 2);
  return {
    step,
    group: 0,
    rollout: 0,
    prompt_id: 'p',
    adapter: `policy-v${String(adapter_step).padStart(6, '0')}.e${epoch}`,
    adapter_step,
    adapter_sha256: digest(adapter_step),
    token_ids: [1 + step, 1],
    logprobs: [-0.1, -0.2],
    ended: 'stop',
    ...change,
  };
}

interface Broken {
  /** Entries of each epoch, in the order in which they were written. */
  entries?: JournalEntry[][];
  completion?: string;
  /** What an epoch's trainer does after the line of each entry is durable, or before. */
  judges?: 'after' | 'before' | 'never';
  weights?: (step: number) => string;
}

/** Two epochs: the first commits step 1 and journals step 2, the second begins at step 1 and commits step 3. */
function make({ entries, completion, judges = 'after', weights = digest }: Broken = {}): string[] {
  const written = entries ?? [[entry(1, 1), entry(2, 1)], [entry(3, 2)]];
  for (const [index, own] of written.entries()) {
    const epoch = index + 1;
    const folder = `grpo/epochs/${String(epoch).padStart(6, '0')}`;
    const started_at = BEGAN[index] as string;
    write(`${folder}/epoch.json`, { epoch, started_at, starts_from: index === 0 ? null : 'step-000001.e1' });
    add({ event: 'epoch', stage: 'grpo', epoch, node: 'a', starts_from: null, started_at, resumed_step: index });
    const lines = own.map((one) => {
      const body = Buffer.from(JSON.stringify(one));
      return `${crc32(body).toString(16).padStart(8, '0')} ${body}\n`;
    });
    const file = 'journal-0-000000.jsonl';
    mkdirSync(join(root, 'journals', String(epoch).padStart(6, '0')), { recursive: true });
    writeFileSync(join(root, 'journals', String(epoch).padStart(6, '0'), file), lines.join(''));
    let bytes = 0;
    const operations = own.flatMap(({ step, group, rollout }, line) => {
      bytes += (lines[line] as string).length;
      const journal = { op: 'journal', path: `${folder}/${file}`, bytes, at: EARLY + 60 * index };
      const ask = { op: 'ask', occasion: `grpo:${step}:${group}:${rollout}`, at: EARLY + 60 * index };
      return judges === 'after' ? [journal, ask] : judges === 'before' ? [ask, journal] : [journal];
    });
    write(`${folder}/operations.jsonl`, operations.map((operation) => `${JSON.stringify(operation)}\n`).join(''));
  }
  for (const [step, epoch] of [
    [0, 1],
    [1, 1],
    [3, 2],
  ] as const) {
    const name = (at: number, of: number) => `step-${String(at).padStart(6, '0')}.e${of}`;
    const parent = step === 0 ? null : step === 1 ? name(0, 1) : name(1, 1);
    const files = { 'adapter_model.safetensors': { bytes: 1, sha256: weights(step) } };
    const folder = `grpo/checkpoints/${name(step, epoch)}`;
    write(`${folder}/manifest.json`, { name: name(step, epoch), parent, step, epoch, files });
    const steps = step === 3 ? [2, 3] : step === 1 ? [1] : [];
    const rollouts = steps.map((at) => ({
      ...{ step: at, group: 0, rollout: 0, prompt_id: 'p' },
      completion: completion ?? VOCABULARY[1 + at],
    }));
    write(`${folder}/rollouts.jsonl`, rollouts.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
  const result = JSON.stringify({ epoch: 2, step: 3, checkpoint: 'step-000003.e2', artifacts: {}, digests: {} });
  write('grpo/result.json', result);
  write('grpo/epochs/000002/result.sha256', sha256Of(result));
  return verdict();
}

const verdict = () => {
  const run = new RunDirectory(root, RUN);
  const found = journalViolations({ run, events, journals: join(root, 'journals') });
  return [...new Set(found.map(({ assertion }) => assertion))];
};

describe('the checker of served rollouts', () => {
  it('finds nothing wrong with a run that was killed and resumed', () => {
    expect(make()).toEqual([]);
  });

  const cases: Record<(typeof WHERE_SERVED)[number], [string, () => string[]][]> = {
    'every committed completion is in the journal': [
      ['a completion is in no journal', () => make({ entries: [[entry(1, 1), entry(2, 1)], []] })],
      ['another completion was trained on', () => make({ completion: 'four' })],
    ],
    'no completion is judged before it is in the journal': [
      ['the question comes first', () => make({ judges: 'before' })],
      ['no question was recorded', () => make({ judges: 'never' })],
    ],
    'no completion in the journal is sampled again': [
      [
        'the second attempt reads no journal',
        () =>
          make({
            entries: [
              [entry(1, 1), entry(2, 1)],
              [entry(2, 2), entry(3, 2)],
            ],
          }),
      ],
    ],
    'no completion is more than one update old': [
      [
        'step 3 was sampled before step 1 was trained',
        () => {
          const old = { adapter: 'policy-v000000.e2', adapter_step: 0, adapter_sha256: digest(0) };
          return make({ entries: [[entry(1, 1), entry(2, 1)], [entry(3, 2, old)]] });
        },
      ],
    ],
    'every completion comes from an adapter of the chain': [
      ['the checkpoint has other weights', () => make({ weights: (step) => digest(step === 1 ? 9 : step) })],
      [
        'the adapter has a name of another epoch',
        () => make({ entries: [[entry(1, 1), entry(2, 1)], [entry(3, 2, { adapter: 'policy-v000001.e1' })]] }),
      ],
    ],
    'adapters of older steps are unloaded and removed': [
      [
        'a server keeps them',
        () => {
          const names = [1, 2, 3].map((step) => `policy-v00000${step}.e2`);
          add({ event: 'adapters', server: 'policy-0', names });
          return make();
        },
      ],
      [
        'the last trainer keeps its folder',
        () => {
          write('grpo/epochs/000002/adapters/policy-v000002.e2/adapter_config.json', {});
          return make();
        },
      ],
    ],
  };

  for (const assertion of WHERE_SERVED) {
    it.each(cases[assertion])(`says "${assertion}" where %s`, (_, broken) => {
      expect(broken()).toEqual([assertion]);
    });
  }

  it('allows that what is damaged is sampled again, and what an attempt samples after a step that it had sampled anew', () => {
    add({ event: 'journal_damaged', epoch: 1, place: '2:0:0' });
    const again = [entry(2, 2), entry(3, 2), entry(4, 2)];
    expect(make({ entries: [[entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1)], again] })).toEqual([
      // Step 3 was sampled ahead, from an adapter that both attempts had.
      'no completion in the journal is sampled again',
    ]);
    rmSync(join(root, 'journals'), { recursive: true });
    expect(
      make({
        entries: [
          [entry(1, 1), entry(2, 1), entry(3, 1), entry(4, 1)],
          [entry(2, 2), entry(4, 2)],
        ],
      }),
    ).toEqual([]);
  });
});
