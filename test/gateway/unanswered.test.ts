import { expect, test } from 'vitest';
import type { GatewayConfigInput } from '../../src/contracts/gateway.ts';
import { GradeRequest } from '../../src/contracts/trace.ts';
import { unanswered } from '../../src/gateway/unanswered.ts';
import { readRubric } from '../../src/judging/rubric.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { comparing, graded } from './start.ts';

const row = (id: string, completion: string, more: object = {}) =>
  GradeRequest.parse({ occasion: `audit:${id}`, prompt: '2+2?', completion, ...more });

async function* each(requests: GradeRequest[]) {
  yield* requests;
}

const count = async (config: GatewayConfigInput, requests: GradeRequest[]) =>
  unanswered(config, readRubric(pathsIn(config.run_dir).rubric), each(requests));

const ROWS = [row('a', '4'), row('b', '5'), row('c', '4')];

test('counts a text once where the same text gets the same reply, as the gateway then asks it', async () => {
  const { gateway, judge, config } = await graded();
  const [calls] = await count(config, ROWS);
  expect(calls).toMatchObject({ role: 'judge', mode: 'reasoned', requests: 3, asked: 2, answered: 1 });
  for (const request of ROWS) await gateway.grade(request);
  expect(judge.chats).toHaveLength(2);
});

test('counts nothing that the ledger of an earlier gateway answers', async () => {
  const { gateway, config } = await graded();
  for (const request of ROWS.slice(0, 2)) await gateway.grade(request);
  await gateway.close();
  expect(await count(config, ROWS)).toMatchObject([{ asked: 0, answered: 3, characters: 0, reply_tokens: 0 }]);
  const [calls] = await count(config, [...ROWS, row('d', '6')]);
  expect(calls).toMatchObject({ requests: 4, asked: 1, answered: 3 });
  expect(calls?.characters).toBe('Reason about 2+2? 6'.length);
});

test('counts every vote of a panel that samples', async () => {
  const { gateway, judge, config } = await graded(undefined, { sampling: { temperature: 1 }, panel: { votes: 3 } });
  expect(await count(config, ROWS)).toMatchObject([{ requests: 3, asked: 9, answered: 0, reply_tokens: 9 * 512 }]);
  await gateway.grade(ROWS[0]);
  expect(await count(config, ROWS)).toMatchObject([{ requests: 3, asked: 6, answered: 3 }]);
  expect(judge.chats).toHaveLength(3);
});

test('counts each mode apart, and one token for the reply in single_token', async () => {
  const { config } = await graded();
  const both = ROWS.flatMap((request) => [request, { ...request, mode: 'single_token' as const }]);
  expect(await count(config, both)).toMatchObject([
    { mode: 'reasoned', asked: 2, reply_tokens: 2 * 512 },
    { mode: 'single_token', asked: 2, reply_tokens: 2 },
  ]);
});

test('counts all of them again for another model', async () => {
  const { gateway, config } = await graded();
  for (const request of ROWS) await gateway.grade(request);
  const other = { ...config, roles: { judge: { ...config.roles.judge, model: 'other', model_digest: 'd2' } } };
  expect(await count(other, ROWS)).toMatchObject([{ asked: 2 }]);
});

test('counts both orders of a pair, and what the ledger answers of them', async () => {
  const { gateway, config } = await comparing(() => ({ text: 'A', logprobs: false }));
  const pair = row('a', 'four', { mode: 'pairwise', opponent: 'five' });
  expect(await count(config, [pair])).toMatchObject([{ mode: 'pairwise', requests: 1, asked: 2, answered: 0 }]);
  await gateway.grade(pair);
  expect(await count(config, [pair])).toMatchObject([{ requests: 1, asked: 0, answered: 2 }]);
});
