import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { canonicalRubric, loadRubric } from '../../src/judging/rubric.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { createRun } from '../../src/run-directory/create-run.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aTrace } from '../ledger/a-trace.ts';
import { aSpec, owner } from '../run-directory/a-run.ts';
import { gavel, makeRoot } from './gavel.ts';

const { root, remove } = makeRoot();
afterAll(remove);

/** A run with the traces of a step, and one that a writer added after the next epoch was taken. */
async function gradedRun() {
  const { paths } = await createRun(root, aSpec(), owner);
  writeFileSync(paths.rubric, canonicalRubric(loadRubric('examples/rubrics/poly-easy.yaml')));
  const { epoch } = await takeEpoch(paths, 'grpo', { node: 'a', pid: 1 });
  const place = { run_dir: paths.dir, stage: 'grpo' as const, epoch };
  const ledger = await Ledger.open(place);
  const occasion = (n: number) => `grpo:${n}:0:0:0`;
  await Promise.all(Array.from({ length: 20 }, (_, n) => ledger.append(aTrace(n, { occasion: occasion(n) }))));
  await takeEpoch(paths, 'grpo', { node: 'b', pid: 2 });
  await ledger.append(aTrace(99, { prompt: 'a superseded writer' }));
  await ledger.close();
  return paths;
}

test('exports what counts of the ledger, with messages of the other mode as the gateway renders them', async () => {
  const paths = await gradedRun();
  const out = join(root, 'sft.jsonl');
  const { code, stderr } = await gavel(['export', 'first', '--format', 'sft', '--out', out], { GAVEL_ROOT: root });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const rows = readFileSync(out, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows).toHaveLength(40);
  expect(JSON.stringify(rows)).not.toContain('a superseded writer');
  const digit = rows.find(
    ({ mode, messages }) => mode === 'single_token' && JSON.stringify(messages).includes('prompt 7'),
  );
  const asked = digit.messages[0].content;
  expect(asked).toMatch(/prompt 7/);
  expect(digit.messages.at(-1)).toEqual({ role: 'assistant', content: '7' });
  // Nothing is written into the run.
  expect(existsSync(join(paths.dir, 'serve'))).toBe(false);
});
