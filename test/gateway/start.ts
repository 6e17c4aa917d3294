import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { GatewayConfigInput, GatewayEvent } from '../../src/contracts/gateway.ts';
import type { Grade, GradeRequest, Trace } from '../../src/contracts/trace.ts';
import { type Gateway, startGateway } from '../../src/gateway/server.ts';
import { canonicalRubric, loadRubric } from '../../src/judging/rubric.ts';
import { readTraces, type TraceFilter } from '../../src/ledger/reader.ts';
import { pathsIn } from '../../src/run-directory/paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type Asked, type Behaviour, FakeJudge } from './fake-judge.ts';

export const KEY = 'gk-test-0123456789';

export const RUBRIC = `name: test
frame: none
scores: {0: a, 1: a, 2: a, 3: a, 4: a, 5: a, 6: a, 7: a, 8: a, 9: b}
modes:
  reasoned: {messages: [{role: user, content: "Reason about {{prompt}} {{completion}}"}]}
  single_token: {messages: [{role: user, content: "Digit for {{prompt}} {{completion}}"}]}
`;

const open: { close(): Promise<void> }[] = [];
const judges: FakeJudge[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((gateway) => gateway.close()));
  await Promise.all(judges.splice(0).map((judge) => judge.stop()));
});

/** A run's folder with a rubric as `prepare` leaves it. */
export function runDirectory(rubric = RUBRIC): string {
  const folder = temporaryFolder('gateway');
  const yaml = join(folder, 'rubric.yaml');
  writeFileSync(yaml, rubric);
  writeFileSync(pathsIn(folder).rubric, canonicalRubric(loadRubric(yaml)));
  return folder;
}

export async function fakeJudge(behave?: (asked: Asked, n: number) => Behaviour): Promise<FakeJudge> {
  const judge = await new FakeJudge(behave).start();
  judges.push(judge);
  return judge;
}

type RoleInput = NonNullable<GatewayConfigInput['roles']['judge']>;

export function configFor(
  run_dir: string,
  judge: RoleInput,
  more: Partial<GatewayConfigInput> = {},
): GatewayConfigInput {
  const { rubric } = pathsIn(run_dir);
  return {
    run: 'test',
    run_dir,
    stage: 'serve',
    epoch: 1,
    rubric,
    roles: { judge: { timeout_s: 5, outage_limit_s: 20, ...judge } },
    ...more,
  };
}

export interface Started extends Gateway {
  events: GatewayEvent[];
  grade(request?: Partial<GradeRequest>): Promise<Grade>;
  post(path: string, body: unknown, key?: string | null): Promise<Response>;
}

export async function gatewayWith(config: GatewayConfigInput): Promise<Started> {
  const events: GatewayEvent[] = [];
  const gateway = await startGateway(config, KEY, (event) => events.push(event));
  open.push(gateway);
  const post = (path: string, body: unknown, key: string | null = KEY): Promise<Response> => {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (key !== null) headers.authorization = `Bearer ${key}`;
    return fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  };
  const grade = async (request: Partial<GradeRequest> = {}): Promise<Grade> => {
    const response = await post('/v1/grade', { ...QUESTION, ...request });
    // biome-ignore lint/suspicious/noExplicitAny: a grade or an error
    const answer = (await response.json()) as any;
    if (!response.ok)
      throw Object.assign(new Error(answer.error.message), { status: response.status, code: answer.error.code });
    return answer as Grade;
  };
  return { ...gateway, events, grade, post };
}

export const QUESTION = { occasion: 'grpo:1:2:3', prompt: '2+2?', completion: '4', ground_truth: 'secret truth' };

/** A gateway in front of a fake judge at a fixed place. */
export async function graded(behave?: (asked: Asked, n: number) => Behaviour, judge: RoleInput = {}) {
  const server = await fakeJudge(behave);
  const run_dir = runDirectory();
  const config = configFor(run_dir, { base_url: server.url, model: 'tiny', model_digest: 'd1', ...judge });
  return { judge: server, run_dir, config, gateway: await gatewayWith(config) };
}

/** The same with a rubric that can compare. */
export async function comparing(behave: (asked: Asked, n: number) => Behaviour, more: RoleInput = {}) {
  const judge = await fakeJudge(behave);
  const run_dir = runDirectory(
    `${RUBRIC}  pairwise: {messages: [{role: user, content: "{{prompt}}: 1. {{completion_a}} 2. {{completion_b}}"}]}\n`,
  );
  const config = configFor(run_dir, { base_url: judge.url, model: 'tiny', model_digest: 'd1', ...more });
  return { judge, run_dir, config, gateway: await gatewayWith(config) };
}

export const tracesOf = (run_dir: string, filter?: TraceFilter): Promise<Trace[]> =>
  collect(readTraces(run_dir, filter));

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
