import { expect, test } from 'vitest';
import { claimEpoch } from '../../src/run-directory/claim-epoch.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { configFor, fakeJudge, gatewayWith, runDirectory, tracesOf } from './start.ts';

test('two that serve one run at once keep all of their traces, and neither touches a segment of the other', async () => {
  const judge = await fakeJudge();
  const run_dir = runDirectory();
  const start = async () => {
    const epoch = await claimEpoch(pathsIn(run_dir).stage('serve'));
    return gatewayWith(configFor(run_dir, { base_url: judge.url, model: 'tiny' }, { epoch }));
  };
  const first = await start();
  const ask = (gateway: typeof first, name: string) => gateway.grade({ occasion: `call:${name}`, prompt: name });
  await ask(first, 'before');
  const second = await start();
  const names = Array.from({ length: 20 }, (_, n) => `${n}`);
  await Promise.all(names.flatMap((name) => [ask(first, `a${name}`), ask(second, `b${name}`)]));
  await second.close();
  await ask(first, 'after');
  await first.close();
  const expected = ['before', 'after', ...names.flatMap((name) => [`a${name}`, `b${name}`])];
  expect((await tracesOf(run_dir)).map(({ prompt }) => prompt).sort()).toEqual(expected.sort());
  expect(await (await start()).grade({ occasion: 'call:after', prompt: 'after' })).toMatchObject({ replayed: true });
});
