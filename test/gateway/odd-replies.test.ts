import { afterEach, expect, test, vi } from 'vitest';
import { modes } from '../../src/judging/modes/registry.ts';
import type { Asked, Behaviour } from './fake-judge.ts';
import { graded, tracesOf } from './start.ts';

afterEach(() => vi.restoreAllMocks());

interface Parts {
  message?: unknown;
  logprobs?: unknown;
  usage?: unknown;
}

const FINE = { role: 'assistant', content: 'Score: 8' };

/** A chat completion whose `parts` are as told. */
const completion = ({ message = FINE, logprobs = null, usage = null }: Parts): Behaviour => ({
  garbled: JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'stop', logprobs }], usage }),
});

/** Answers what holds the word odd with such a completion, and grades the rest. */
const oddWith =
  (parts: Parts) =>
  ({ body }: Asked): Behaviour =>
    JSON.stringify(body.messages).includes('odd') ? completion(parts) : { text: 'Score: 3' };

const READABLE: [string, Parts][] = [
  [
    'text in parts',
    {
      message: {
        content: [
          { type: 'text', text: 'Sco' },
          { type: 'text', text: 're: 8' },
        ],
      },
    },
  ],
  ['no list of likely tokens', { logprobs: { content: [{ token: '8', logprob: -0.1, top_logprobs: null }] } }],
  ['an empty list for log-probabilities', { logprobs: [] }],
  [
    'a likely token whose log-probability is null',
    { logprobs: { content: [{ token: '8', logprob: -0.1, top_logprobs: [{ token: '9', logprob: null }] }] } },
  ],
  ['a log-probability of null', { logprobs: { content: [{ token: '8', logprob: null, top_logprobs: [] }] } }],
  ['a count of tokens that is null', { usage: { prompt_tokens: null, completion_tokens: 3 } }],
];

test.each(READABLE)('grades a reply with %s, and asks once', async (_, parts) => {
  const { gateway, judge, run_dir } = await graded(oddWith(parts));
  expect(await gateway.grade({ completion: 'odd' })).toMatchObject({ verdict: 'scored', score: 8 });
  expect(judge.chats).toHaveLength(1);
  expect(await tracesOf(run_dir)).toMatchObject([{ reply: 'Score: 8', usage: null }]);
});

const UNREADABLE: [string, Parts, RegExp][] = [
  ['a message that is null', { message: null }, /choices\.0\.message/],
  ['content that is a number', { message: { content: 7 } }, /choices\.0\.message\.content/],
  ['content with a picture', { message: { content: [{ type: 'image_url', image_url: {} }] } }, /message\.content/],
  ['tokens without text', { logprobs: { content: [{ logprob: -1 }] } }, /logprobs\.content\.0\.token/],
  [
    'a likely token without text',
    { logprobs: { content: [{ token: '8', logprob: 0, top_logprobs: [{ logprob: -1 }] }] } },
    /top_logprobs\.0/,
  ],
  [
    'likely tokens that are no list',
    { logprobs: { content: [{ token: '8', logprob: 0, top_logprobs: 'many' }] } },
    /top_logprobs/,
  ],
  ['a count of tokens that is a fraction', { usage: { prompt_tokens: 1.5, completion_tokens: 3 } }, /prompt_tokens/],
];

test.each(UNREADABLE)('gives a reply with %s the verdict failed after four tries', async (_, parts, field) => {
  const { gateway, judge, run_dir } = await graded(oddWith(parts));
  expect(await gateway.grade({ completion: 'odd' })).toMatchObject({ verdict: 'failed', score: null });
  expect(judge.chats.filter(({ body }) => JSON.stringify(body.messages).includes('odd'))).toHaveLength(4);
  const [trace] = await tracesOf(run_dir);
  expect(trace?.reasoning).toMatch(field);
});

test('records a paid reply that a mode cannot read as failed, with the reply and its cost', async () => {
  vi.spyOn(modes.reasoned, 'read').mockImplementation(() => {
    throw new TypeError('x is not iterable');
  });
  const { gateway, judge, run_dir } = await graded();
  const first = await gateway.grade();
  expect(first).toMatchObject({ verdict: 'failed', score: null });
  expect(await gateway.grade()).toEqual({ ...first, replayed: true });
  expect(judge.chats).toHaveLength(1);
  expect(await tracesOf(run_dir)).toMatchObject([
    {
      verdict: 'failed',
      reply: 'Fine. Score: 7',
      reasoning: 'The reply could not be read: x is not iterable',
      usage: { prompt_tokens: 10 },
    },
  ]);
});

test('keeps half of an emoji in a reply, its thinking or its refusal as the replacement character', async () => {
  const { gateway, judge, run_dir } = await graded(() => ({
    text: '\ud83d fine. Score: 8',
    reasoning_content: 'hm \ude00',
  }));
  expect(await gateway.grade()).toMatchObject({ verdict: 'scored', score: 8, reasoning: 'hm \ufffd\n\ufffd fine.' });
  judge.behave = () => ({ text: '', refusal: 'no \ud83d' });
  expect(await gateway.grade({ completion: '5' })).toMatchObject({ verdict: 'refused', reasoning: 'no \ufffd' });
  expect(await tracesOf(run_dir)).toMatchObject([
    { reply: '\ufffd fine. Score: 8', thinking: 'hm \ufffd' },
    { verdict: 'refused' },
  ]);
});
