import { afterEach, beforeEach, expect, it } from 'vitest';
import { JudgeProxy, type Reply } from '../../../bench/faults/run/judge-proxy.ts';
import { FakeJudge } from '../../gateway/fake-judge.ts';

let judge: FakeJudge;
let proxy: JudgeProxy;
let url: string;
beforeEach(async () => {
  judge = await new FakeJudge().start();
  proxy = new JudgeProxy(judge.url);
  url = await proxy.open();
});
afterEach(async () => {
  await proxy.shut();
  await judge.stop();
});

const ask = async (content: string) => {
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] });
  return (await fetch(`${url}/chat/completions`, { method: 'POST', body })).status;
};
const says = (status: number): Reply => ({ status, headers: {}, body: '' });

it('answers the next new question with a given reply for ever, and lets the others through', async () => {
  expect(await ask('a')).toBe(200);
  const poison = proxy.poisonNext(says(400));
  expect([await ask('a'), await ask('b'), await ask('c'), await ask('b')]).toEqual([200, 400, 200, 400]);
  expect(poison.asked).toBe(2);
});

it('answers every call with a given reply until it is told to stop', async () => {
  proxy.replyInstead(() => says(429));
  expect([await ask('a'), await ask('b')]).toEqual([429, 429]);
  proxy.replyInstead(null);
  expect(await ask('a')).toBe(200);
  expect(proxy.asked_again).toBe(1);
});
