import { expect, test } from 'vitest';
import { jsonObject } from '../../src/cli/audit.ts';
import { gatewayConfig } from '../../src/cli/audited-models.ts';
import { GatewayConfig } from '../../src/contracts/gateway.ts';

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
