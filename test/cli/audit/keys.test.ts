import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { contestantsOf } from '../../../src/cli/audit/contestants.ts';
import { gatewayConfig } from '../../../src/cli/audit/gateway-config.ts';
import type { FakeJudge } from '../../gateway/fake-judge.ts';
import { fakeJudge, gatewayWith, runDirectory } from '../../gateway/start.ts';

const KEYS = { AUDIT_GRADER_KEY: 'sk-of-the-grader', AUDIT_JUDGE_KEY: 'sk-of-the-judge' };

beforeEach(() => {
  for (const [name, key] of Object.entries(KEYS)) vi.stubEnv(name, key);
});
afterEach(() => vi.unstubAllEnvs());

/** What `gavel audit` starts where both its models are local servers, and the grader has a key. */
async function audited(judge_key_env?: string) {
  const [grader, judge, stranger] = await Promise.all([fakeJudge(), fakeJudge(), fakeJudge()]);
  const { asked } = contestantsOf({
    grader: { value: grader.url, model: 'g', modes: ['reasoned'], key_env: 'AUDIT_GRADER_KEY' },
    judge: { value: judge.url, model: 'j', key_env: judge_key_env },
  });
  const config = gatewayConfig({ run: 'audit', run_dir: runDirectory(), epoch: 1 }, asked, 8);
  return { grader, judge, stranger, config };
}

/** All that a server was given as a key. */
const keysSeen = ({ asked }: FakeJudge) => new Set(asked.map(({ authorization }) => authorization));

test.each([
  ['a key of its own', 'AUDIT_JUDGE_KEY', 'Bearer sk-of-the-judge'],
  ['no key', undefined, 'Bearer none'],
])("a judge with %s never gets the grader's key, nor the grader the judge's", async (_, judge_key_env, seen) => {
  const { grader, judge, config } = await audited(judge_key_env);
  const gateway = await gatewayWith(config);
  for (const role of ['grader', 'judge'] as const) {
    expect(await gateway.grade({ role, mode: 'reasoned' })).toMatchObject({ verdict: 'scored' });
  }
  expect(keysSeen(grader)).toEqual(new Set(['Bearer sk-of-the-grader']));
  expect(keysSeen(judge)).toEqual(new Set([seen]));
});

test.each([301, 302, 303, 307, 308])(
  'a grader that redirects (HTTP %i) to another host is refused, and that host gets neither key nor prompt',
  async (status) => {
    const { grader, stranger, config } = await audited();
    grader.behave = () => ({ status, headers: { location: `${stranger.url}/chat/completions?token=t0p` } });
    const gateway = await gatewayWith(config);
    const error = await gateway.grade({ role: 'grader', mode: 'reasoned' }).catch((thrown) => thrown);
    expect(error.code).toBe('judge_misconfigured');
    expect(error.message).toContain(`redirect to 127.0.0.1:${stranger.port} (HTTP ${status})`);
    expect(error.message).not.toContain('t0p');
    expect(keysSeen(grader)).toEqual(new Set(['Bearer sk-of-the-grader']));
    expect(stranger.asked).toEqual([]);
  },
);

test('a chat that is redirected to another host does not go there', async () => {
  const { grader, stranger, config } = await audited();
  grader.behave = () => ({ status: 307, headers: { location: `${stranger.url}/chat/completions` } });
  const gateway = await gatewayWith(config);
  const messages = [{ role: 'user', content: 'hello' }];
  const response = await gateway.post('/v1/chat/completions', { model: 'g', messages });
  expect(response.status).toBe(502);
  expect(await response.text()).toContain(`redirect to 127.0.0.1:${stranger.port}`);
  expect(stranger.asked).toEqual([]);
});

test("the grader's key goes to no place but the one that --grader names, whatever place its role is given", async () => {
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
