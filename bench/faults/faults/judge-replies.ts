import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultContext } from '../run/fault-context.ts';
import type { Reply } from '../run/judge-proxy.ts';
import type { FaultKind } from './fault-kind.ts';

/** The judge is there and answers with something else than a verdict. */

const json = { 'content-type': 'application/json' };
const error = (status: number, message: string, headers = {}): Reply => ({
  status,
  headers: { ...json, ...headers },
  body: JSON.stringify({ error: { message, type: 'error', code: status } }),
});

/** What a proxy before a judge, or a judge that is being restarted, has been seen to say with status 200. */
const GARBAGE: readonly Reply[] = [
  { status: 200, headers: { 'content-type': 'text/html' }, body: '<html><body>Service starting</body></html>' },
  { status: 200, headers: json, body: '' },
  { status: 200, headers: json, body: '{"id":"chatcmpl-1","choices":[{"index":0,"mess' },
  { status: 200, headers: json, body: '{"id":"chatcmpl-1","object":"chat.completion","choices":[]}' },
];

/** Every call gets this reply for some seconds; the judge itself is not asked. */
async function everyReply(context: FaultContext, what: string, reply: () => Reply) {
  const { judge_proxy } = context;
  const busy = await context.secondsUntil(15, () => judge_proxy.in_flight > 0);
  const seconds = context.random.between(2, 8);
  context.strikes(`${what} for ${seconds.toFixed(1)} s`);
  judge_proxy.replyInstead(reply);
  if (busy !== null) context.reached('judge outage during a step', what);
  await sleep(seconds * 1000);
  judge_proxy.replyInstead(null);
  return {};
}

/** One question, the next that is new, gets this reply for ever; the others are answered. */
async function oneReply(context: FaultContext, what: string, reply: Reply) {
  const { judge_proxy, log, stage } = context;
  const poisoned = judge_proxy.poisonNext(reply);
  const struck = await context.secondsUntil(60, () => poisoned.asked > 0);
  if (struck === null) {
    judge_proxy.poisonNone();
    throw new Error('no new question was asked');
  }
  context.strikes(what);
  const began = performance.now();
  const { step } = context.heights(stage);
  const went_on = await log.next('step', (event) => event.stage === stage && event.step > step, {
    timeout_ms: 120_000,
    unless: () => log.of('result').some((result) => result.stage === stage),
  });
  if (!went_on && !log.of('result').some((result) => result.stage === stage)) {
    context.violated('one completion does not hold up a run', `${what}: no step was finished 120 s later`);
  }
  return went_on ? { next_step: (performance.now() - began) / 1000 } : {};
}

const outside = { scenarios: ['outside'], stages: ['grpo'] } as const;

export const judgeReplyFaults: readonly FaultKind[] = [
  {
    kind: 'judge rejects one completion (400)',
    ...outside,
    strike: (context) => oneReply(context, 'one question is rejected for ever', error(400, 'cannot parse this input')),
  },
  {
    kind: 'judge fails on one completion (500)',
    ...outside,
    strike: (context) => oneReply(context, 'one question gets HTTP 500 for ever', error(500, 'internal error')),
  },
  {
    kind: 'judge says 429',
    ...outside,
    strike: (context) =>
      everyReply(context, 'every call gets HTTP 429', () => error(429, 'slow down', { 'retry-after': '1' })),
  },
  {
    kind: 'judge says 500',
    ...outside,
    strike: (context) => everyReply(context, 'every call gets HTTP 500', () => error(500, 'internal error')),
  },
  {
    kind: 'judge answers garbage',
    ...outside,
    strike: (context) => everyReply(context, 'every call gets garbage', () => context.random.pick(GARBAGE)),
  },
];
