import { afterEach, beforeEach, expect, test } from 'vitest';
import { jsonObject } from '../../src/cli/audit.ts';
import { gatewayConfig } from '../../src/cli/audited-models.ts';
import { GatewayConfig } from '../../src/contracts/gateway.ts';
import type { FakeJudge } from '../gateway/fake-judge.ts';
import { fakeJudge, gatewayWith, runDirectory } from '../gateway/start.ts';

const models = {
  endpoint: 'https://grader.example.com/v1',
  model: 'g',
  mode: 'single_token',
  engine: 'vllm',
  judgeEndpoint: 'https://judge.example.com/v1',
  judgeModel: 'j',
  judgeMode: 'reasoned',
  judgeEngine: 'openai',
  concurrency: '8',
} as const;

test("each model of an outside audit gets its own chat template's arguments, and both their tokenizers guard the rows", () => {
  const { roles, tokenizers } = GatewayConfig.parse(
    gatewayConfig('/audit', 1, {
      ...models,
      chatTemplateKwargs: jsonObject('{"enable_thinking": false}'),
      judgeChatTemplateKwargs: jsonObject('{"reasoning_effort": "high"}'),
      tokenizer: ['/models/grader', '/models/judge'],
    }),
  );
  expect(roles.grader?.chat_template_kwargs).toEqual({ enable_thinking: false });
  expect(roles.judge?.chat_template_kwargs).toEqual({ reasoning_effort: 'high' });
  expect(tokenizers).toEqual(['/models/grader', '/models/judge']);
});

test.each(['[1]', '7', 'enable_thinking=false'])("a chat template's arguments are a JSON object and not %s", (text) => {
  expect(() => jsonObject(text)).toThrow('Expected a JSON object');
});

const KEYS = { AUDIT_GRADER_KEY: 'sk-of-the-grader', AUDIT_JUDGE_KEY: 'sk-of-the-judge' };
beforeEach(() => void Object.assign(process.env, KEYS));
afterEach(() => {
  for (const name of Object.keys(KEYS)) delete process.env[name];
});

/** What `gavel audit` starts where both its models are local servers, and the grader has a key. */
async function audited({ judgeApiKeyEnv }: { judgeApiKeyEnv?: string } = {}) {
  const [grader, judge, stranger] = await Promise.all([fakeJudge(), fakeJudge(), fakeJudge()]);
  const config = gatewayConfig(runDirectory(), 1, {
    ...{ ...models, endpoint: grader.url, judgeEndpoint: judge.url, engine: 'openai', mode: 'reasoned' },
    ...{ apiKeyEnv: 'AUDIT_GRADER_KEY', ...(judgeApiKeyEnv !== undefined && { judgeApiKeyEnv }) },
  });
  return { grader, judge, stranger, config };
}

/** All that a server was given as a key. */
const keysSeen = ({ asked }: FakeJudge) => new Set(asked.map(({ authorization }) => authorization));

test.each([
  ['a key of its own', 'AUDIT_JUDGE_KEY', 'Bearer sk-of-the-judge'],
  ['no key', undefined, 'Bearer none'],
])("a judge with %s never gets the grader's key, nor the grader the judge's", async (_, judgeApiKeyEnv, seen) => {
  const { grader, judge, config } = await audited(judgeApiKeyEnv === undefined ? {} : { judgeApiKeyEnv });
  const gateway = await gatewayWith(config);
  for (const role of ['grader', 'judge'] as const) {
    expect(await gateway.grade({ role, mode: 'reasoned' })).toMatchObject({ verdict: 'scored' });
  }
  expect(keysSeen(grader)).toEqual(new Set(['Bearer sk-of-the-grader']));
  expect(keysSeen(judge)).toEqual(new Set([seen]));
});

test.each([307, 308])(
  'a grader that redirects (HTTP %i) to another host does not send its key there',
  async (status) => {
    const { grader, stranger, config } = await audited();
    grader.behave = () => ({ status, headers: { location: `${stranger.url}/chat/completions` } });
    const gateway = await gatewayWith(config);
    await gateway.grade({ role: 'grader', mode: 'reasoned' });
    expect(keysSeen(grader)).toEqual(new Set(['Bearer sk-of-the-grader']));
    expect(stranger.chats).toHaveLength(1);
    expect(JSON.stringify(stranger.asked)).not.toContain(KEYS.AUDIT_GRADER_KEY);
  },
);

test("the grader's key goes to no place but the one that --endpoint names, whatever place its role is given", async () => {
  const { judge, stranger, config } = await audited();
  for (const { url } of [judge, stranger]) {
    const grader = { ...config.roles.grader, base_url: url };
    await expect(gatewayWith({ ...config, roles: { ...config.roles, grader } })).rejects.toMatchObject({
      code: 'judge_misconfigured',
      message: expect.stringMatching(/The key of the grader was not sent: .* AUDIT_GRADER_KEY/),
    });
  }
  expect([...judge.asked, ...stranger.asked]).toEqual([]);
});
