/**
 * One side of a cell of the figure `ledger`, in a process of its own: `node side.ts TASK plain|gavel ROOT` prints seconds, the peak of
 * resident memory and how many traces the work found. A plain side is what a script over JSON Lines does: no checksums, no fences.
 */
import { createReadStream, readFileSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Trace } from '../../src/contracts/trace.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { readTraces } from '../../src/ledger/reader.ts';
import { pathsIn, runPaths } from '../../src/run-directory/paths.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';

const [task, side, root] = process.argv.slice(2) as [string, 'plain' | 'gavel', string];
const paths = runPaths(root, 'bench');
const GOOD = { stage: 'grpo', role: 'judge', min_score: 8 } as const;

async function* linesOf(path: string): AsyncGenerator<string> {
  yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
}

async function* plainTraces(): AsyncGenerator<Trace> {
  for (const name of (await readdir(paths.traces)).filter((each) => each.endsWith('.jsonl')).sort()) {
    for await (const line of linesOf(join(paths.traces, name))) yield JSON.parse(line);
  }
}

async function plainKeys(): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  let n = 0;
  for await (const { key } of plainTraces()) {
    if (!places.has(key)) places.set(key, n);
    n += 1;
  }
  return places;
}

async function replay(): Promise<number> {
  const ledger = await Ledger.open({ run_dir: paths.dir, stage: 'sft', epoch: 1 });
  const { size } = ledger;
  await ledger.close();
  return size;
}

const tasks: Record<string, { plain(): Promise<number>; gavel(): Promise<number> }> = {
  replay: { plain: async () => (await plainKeys()).size, gavel: replay },
  'replay-lines': { plain: async () => (await plainKeys()).size, gavel: replay },
  filter: {
    async plain() {
      const seen = new Set<string>();
      let found = 0;
      for await (const { key, stage, role, score } of plainTraces()) {
        if (seen.has(key)) continue;
        seen.add(key);
        if (stage === GOOD.stage && role === GOOD.role && score !== null && score >= GOOD.min_score) found += 1;
      }
      return found;
    },
    async gavel() {
      let found = 0;
      for await (const _ of readTraces(paths.dir, GOOD)) found += 1;
      return found;
    },
  },
  resume: {
    async plain() {
      const places = await plainKeys();
      const { checkpoints } = paths.stage('grpo');
      for (const name of await readdir(checkpoints)) {
        const folder = join(checkpoints, name);
        JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'));
        for await (const line of linesOf(join(folder, 'rollouts.jsonl'))) {
          for (const key of JSON.parse(line).trace_keys)
            if (!places.has(key)) throw new Error(`${name}: ${key} is missing`);
        }
      }
      return places.size;
    },
    async gavel() {
      const { quarantined, resume_from, ledger } = await takeEpoch(paths, 'grpo', { node: 'bench', pid: process.pid });
      if (quarantined.length > 0 || resume_from === null) throw new Error(JSON.stringify({ quarantined, resume_from }));
      return ledger.length;
    },
  },
};

/** Renames the key indexes of a run away, or back. */
async function hideIndexes(from: string, to: string): Promise<void> {
  const { traces } = pathsIn(paths.dir);
  for (const name of await readdir(traces)) {
    if (name.endsWith(from)) await rename(join(traces, name), join(traces, name.slice(0, -from.length) + to));
  }
}

const run = tasks[task]?.[side];
if (!run)
  throw new Error(`Expected a task of ${Object.keys(tasks).join(', ')} and plain or gavel, got ${task} ${side}.`);
if (task === 'replay-lines') await hideIndexes('.index', '.index-hidden');
const started = performance.now();
const found = await run();
const seconds = (performance.now() - started) / 1000;
if (task === 'replay-lines') await hideIndexes('.index-hidden', '.index');
// resourceUsage() would hold the peak of the process that started this one.
const peak_kb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
console.log(JSON.stringify({ seconds, peak_mb: peak_kb / 1024, found }));
