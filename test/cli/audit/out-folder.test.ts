import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { canonicalRubric, loadRubric } from '../../../src/judging/rubric.ts';
import { createRun } from '../../../src/run-directory/create-run.ts';
import { takeEpoch } from '../../../src/stage/take-epoch.ts';
import { aSpec, owner } from '../../run-directory/a-run.ts';
import { gavel, makeRoot } from '../gavel.ts';

const { root, remove } = makeRoot();
afterAll(remove);

const rubric = 'examples/rubrics/poly-easy.yaml';

/** Each file and folder under `dir` with its content and the time of its last change. */
function everythingIn(dir: string): Record<string, [number, string | null]> {
  const paths = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort();
  const look = (path: string): [number, string | null] => {
    const stat = statSync(path);
    return [stat.mtimeMs, stat.isFile() ? readFileSync(path, 'utf8') : null];
  };
  return Object.fromEntries(['.', ...paths].map((path) => [path, look(join(dir, path))]));
}

test('refuses the folder of a run as --out, and changes nothing in it', async () => {
  const { paths } = await createRun(root, aSpec(), owner);
  writeFileSync(paths.rubric, canonicalRubric(loadRubric(rubric)));
  await takeEpoch(paths, 'audit', { node: 'a', pid: 1 });
  const rows = join(root, 'rows.jsonl');
  writeFileSync(rows, `${JSON.stringify({ id: 'r0', prompt: '1+1', completion: '2', is_correct: true })}\n`);
  const before = everythingIn(paths.dir);
  expect(Object.keys(before)).toContain('rubric.json');

  const asked = ['--grader', 'http://127.0.0.1:1/v1', '--grader-model', 'm', '--data', rows, '--rubric', rubric];
  const { code, stderr } = await gavel(['audit', ...asked, '--out', paths.dir], { GAVEL_ROOT: root });
  expect(code).toBe(2);
  expect(stderr).toContain(`found the run directory ${paths.dir}`);
  expect(everythingIn(paths.dir)).toEqual(before);
});
