import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFor, gatewayWith, runDirectory, tracesOf } from '../gateway/start.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type RealVllm, startVllm } from './real-vllm.ts';

/** A judge on the real vLLM that is asked for a digit where it would rather begin to reason. */

let vllm: RealVllm;

beforeAll(async () => {
  vllm = await startVllm('poly-easy-judge', temporaryFolder('vllm'));
});

afterAll(() => vllm?.stop());

/** Its own reasoned question, put to it in single-token mode: it begins with the first number of its working. */
const rubric = (prefix: string) => `name: test
frame: none
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "{{prompt}}\\n{{completion}}\\nCheck each step."}]}
  single_token:
    messages: [{role: user, content: "{{prompt}}\\n{{completion}}\\nCheck each step."}]
    answer_prefix: ${prefix}
`;

const right = { prompt: 'Solve 4x+2=22.', completion: '22-2=20, 20/4=5, 4*5=20, 20+2=22. Answer 5' };
const wrong = {
  prompt: 'Solve 5x-1=-41.',
  completion: '-41+1=-42, -42/5=-9, 5*-9=-45, -45-1=-46. Answer -10',
};

async function gatewayFor(prefix: string) {
  const run_dir = runDirectory(rubric(prefix));
  const role = { base_url: vllm.url, model: vllm.model, engine: 'vllm' as const, sampling: { max_tokens: 64 } };
  return { run_dir, gateway: await gatewayWith(configFor(run_dir, { ...role, timeout_s: 60 })) };
}

describe('one token on the real vLLM', () => {
  test('has no score where the model would say something else, though a digit was forced', async () => {
    const { gateway, run_dir } = await gatewayFor('null');
    const grade = await gateway.grade({ ...right, mode: 'single_token' });
    expect(grade).toMatchObject({ verdict: 'off_scale', score: null, value: null, p_pass: null });
    expect(grade.off_scale_mass).toBeGreaterThan(0.9);
    expect((await tracesOf(run_dir))[0]?.reply).toMatch(/^[0-9]$/);
  });

  test("is a score where the rubric's prefix begins the answer", async () => {
    const { gateway } = await gatewayFor('"Score: "');
    const grade = await gateway.grade({ ...right, mode: 'single_token' });
    expect(grade).toMatchObject({ verdict: 'scored', score: 9, value_rule: 'expectation' });
    expect(grade.off_scale_mass).toBeLessThan(0.05);
    expect(grade.distribution?.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
  });

  test('takes every setting that is sent, and finds the distribution at the digit of a reasoned score', async () => {
    const { gateway } = await gatewayFor('null');
    const grade = await gateway.grade({ ...wrong, occasion: 'grpo:1:2:4', mode: 'reasoned' });
    expect(grade).toMatchObject({ verdict: 'scored', value_rule: 'expectation' });
    expect(grade.score).toBeLessThan(5);
    expect(grade.p_pass).toBeLessThan(0.5);
    expect(grade.distribution?.[grade.score ?? -1]).toBe(grade.confidence);
  });
});
