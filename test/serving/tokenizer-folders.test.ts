import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Spec } from '../../src/contracts/spec/spec.ts';
import { controlStrings } from '../../src/judging/control-strings.ts';
import { breakUp } from '../../src/judging/guard.ts';
import { keepTokenizers, tokenizerFolders } from '../../src/serving/tokenizer-folders.ts';
import { aRun } from '../run-directory/a-run.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { spec } from '../workflows/environment.ts';

const revision = 'a'.repeat(40);
const hub = Spec.parse({ ...spec, judge: { ...spec.judge, model: 'org/judge', revision } });

function download(hub_cache: string) {
  const snapshot = join(hub_cache, 'models--org--judge/snapshots', revision);
  mkdirSync(snapshot, { recursive: true });
  const added_tokens = [{ content: '~~stop~~', special: true }];
  writeFileSync(join(snapshot, 'tokenizer.json'), JSON.stringify({ added_tokens }));
}

test('knows the control tokens of a hub model whose tokenizer was in the cache when the run was prepared', async () => {
  const paths = await aRun();
  const hub_cache = temporaryFolder('hub');
  const asked = () => breakUp('~~stop~~', controlStrings(tokenizerFolders(hub, paths)));
  await keepTokenizers({ root: paths.root, hub_cache }, hub, paths);
  download(hub_cache);
  // What came after the run was prepared must not change what it asks.
  expect(asked()).toBe('~~stop~~');
  await keepTokenizers({ root: paths.root, hub_cache }, hub, paths);
  expect(asked()).toBe('~ ~stop~~');
});
