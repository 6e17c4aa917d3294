import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namesUpTo } from '../../src/run-directory/checkpoint-chain.ts';
import { takeEpoch } from '../../src/stage/take-epoch.ts';
import { aRun, commit } from './a-run.ts';

const holder = { node: 'a', pid: 1 };

test('a trainer is given the chain across checkpoints that are gone or cannot be read, and nothing that is void', async () => {
  const paths = await aRun();
  const stage = paths.stage('grpo');
  await takeEpoch(paths, 'grpo', holder);
  const names: string[] = [];
  for (const step of [0, 1, 2, 3]) names.push(await commit(paths, { epoch: 1, step, parent: names.at(-1) ?? null }));
  const [, one = '', , three = ''] = names;
  expect((await takeEpoch(paths, 'grpo', holder)).chain).toEqual(names);
  await commit(paths, { epoch: 1, step: 4, parent: three });
  const five = await commit(paths, { epoch: 2, step: 5, parent: three });
  const chain = () => namesUpTo(paths, 'grpo', five);
  expect(await chain()).toEqual([...names, five]);

  await rm(stage.checkpoint(three), { recursive: true });
  await writeFile(join(stage.checkpoint(one), 'manifest.json'), '{');
  expect(await chain()).toEqual([...names, five]);
});

test('an attempt that starts afresh has no chain', async () => {
  expect((await takeEpoch(await aRun(), 'grpo', holder)).chain).toEqual([]);
});
