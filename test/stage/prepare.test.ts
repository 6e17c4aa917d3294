import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { prepareRunDirectory } from '../../src/stage/prepare.ts';
import { aSpec, owner } from '../run-directory/a-run.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** A stand-in for the Python child that makes the prompts: it waits while `hold` exists, then does what `behaviour` says. */
let root: string;
let python: string;
const at = (name: string) => join(root, name);

beforeEach(async () => {
  root = temporaryFolder('prepare');
  python = at('python');
  for (const model of ['policy', 'judge', 'base']) {
    await mkdir(at(`models/${model}`), { recursive: true });
    await writeFile(at(`models/${model}/config.json`), '{}');
  }
  await mkdir(at('examples'));
  await writeFile(at('examples/rubric.json'), await readFile('examples/rubrics/poly-easy.yaml'));
  await child('for split in train eval audit; do echo "{}" > "$dir/data/$split.jsonl"; done');
});

async function child(behaviour: string) {
  const held = `if [ -e ${at('hold')} ]; then rm ${at('hold')}; touch ${at('held')}; while [ ! -e ${at('release')} ]; do sleep 0.05; done; fi`;
  await writeFile(python, `#!/bin/sh\ndir="$3"\nmkdir -p "$dir/data"\n${held}\n${behaviour}\n`);
  await chmod(python, 0o755);
}

function attempt({ signal = new AbortController().signal, stillAsked = async () => {} } = {}) {
  const config = { ...loadConfig({ GAVEL_ROOT: root }), python };
  return prepareRunDirectory({
    config,
    spec: aSpec(),
    owner,
    resume: false,
    signal,
    beat: () => undefined,
    stillAsked,
    stillRuns: async () => false,
  });
}

async function until(name: string) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await stat(at(name)).catch(() => null)) return;
    await sleep(50);
  }
  throw new Error(`waited 10 s for ${name}`);
}

/** Starts an attempt that stalls while its prompts are made, and lets a second one complete. */
async function stalledThenCompleted(given: Parameters<typeof attempt>[0] = {}) {
  await writeFile(at('hold'), '');
  const first = attempt(given);
  first.catch(() => undefined);
  await until('held');
  await attempt();
  return { first, paths: runPaths(root, 'first') };
}

const intact = async () => {
  const { dir } = runPaths(root, 'first');
  const names = (await readdir(dir)).sort();
  expect(names).toEqual(expect.arrayContaining(['data', 'rubric.json', 'run.json', 'spec.json']));
  expect((await readdir(join(dir, 'data'))).sort()).toEqual(['audit.jsonl', 'eval.jsonl', 'train.jsonl']);
  expect(await readdir(at('runs'))).toEqual(['first']);
};

test('a stalled attempt that is aborted after another one has made the run leaves the run as it is', async () => {
  const abort = new AbortController();
  const { first, paths } = await stalledThenCompleted({ signal: abort.signal });
  await writeFile(paths.segment('grpo', 1, 1), 'a trace');
  abort.abort(new Error('cancelled'));
  await expect(first).rejects.toThrow('cancelled');
  await intact();
  expect(await readFile(paths.segment('grpo', 1, 1), 'utf8')).toBe('a trace');
});

test('a stalled attempt whose child fails after another one has made the run leaves the run as it is', async () => {
  await writeFile(at('hold'), '');
  await child('exit 1');
  const first = attempt();
  first.catch(() => undefined);
  await until('held');
  await child('for split in train eval audit; do echo "{}" > "$dir/data/$split.jsonl"; done');
  await attempt();
  await writeFile(at('release'), '');
  await expect(first).rejects.toThrow('The prompts could not be made');
  await intact();
});

test('a stalled attempt that comes to its end finds the run that another one has made, and keeps it', async () => {
  const { first, paths } = await stalledThenCompleted();
  await writeFile(paths.data.train, 'of the second');
  await writeFile(at('release'), '');
  await first;
  await intact();
  expect(await readFile(paths.data.train, 'utf8')).toBe('of the second');
});

test('a superseded attempt publishes no run', async () => {
  const { first, paths } = await stalledThenCompleted({
    stillAsked: async () => {
      throw new Error('given up');
    },
  });
  // A person has deleted the run since.
  await rm(paths.dir, { recursive: true });
  await writeFile(at('release'), '');
  await expect(first).rejects.toThrow('given up');
  expect(await readdir(at('runs'))).toEqual([]);
});

test('bad input leaves nothing behind and names the field', async () => {
  const outcome = JSON.stringify({ status: 'bad_request', message: 'no such split', field: 'task.params' });
  await child(`echo '${outcome}' > "$dir/data/outcome.json"; exit 2`);
  await expect(attempt()).rejects.toThrow('task.params: no such split');
  expect(await readdir(at('runs'))).toEqual([]);
});

test('a run that cannot fit leaves nothing behind and names the field to change', async () => {
  const fit = JSON.stringify({
    machine: { node: 'n1', memory_bytes: 1, gpu_bytes: [] },
    prompt_tokens: 1,
    micro_batch_size: null,
    verdict: 'too_large',
    needs: [],
    problems: [{ field: 'grpo.micro_batch_size', message: 'needs 9 GiB, has 8 GiB' }],
  });
  await child(`[ -e "$dir/fit-request.json" ] && echo '${fit}' > "$dir/fit.json"`);
  await expect(attempt()).rejects.toThrow('grpo.micro_batch_size: needs 9 GiB, has 8 GiB');
  expect(await readdir(at('runs'))).toEqual([]);
});

test('a run is published whole: no reader sees one without its prompts', async () => {
  await writeFile(at('hold'), '');
  const making = attempt();
  await until('held');
  expect((await readdir(at('runs'))).filter((name) => !name.startsWith('.creating-'))).toEqual([]);
  await writeFile(at('release'), '');
  await making;
  await intact();
});
