import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Preference } from '../../src/contracts/verdict.ts';
import { ballotsOf } from '../../src/gateway/ballots.ts';
import { controlStrings } from '../../src/judging/control-strings.ts';
import { breakUp, guardedPrompting } from '../../src/judging/guard.ts';
import { combinePair } from '../../src/judging/pair.ts';
import { inOrder } from '../../src/judging/preference.ts';
import { readReply } from '../../src/judging/read-reply.ts';
import { loadRubric } from '../../src/judging/rubric.ts';
import { said } from './replies.ts';

/** Pairs that people compared (PandaLM's test set), read from beside the project and not shipped with it. */
const folder = fileURLToPath(new URL('../../../shared/data/pandalm', import.meta.url));
if (!existsSync(folder)) console.warn(`SKIPPED: no pairs at ${folder}; comparing what people compared is not tested.`);

interface Pair {
  idx: number;
  instruction: string;
  input: string;
  response1: string;
  response2: string;
}

const { rubric } = loadRubric(fileURLToPath(new URL('../../examples/rubrics/helpfulness.yaml', import.meta.url)));
const panel = { votes: 1, combine: 'mean', confidence_threshold: 0 } as const;
const control = controlStrings([]);

/** How often each preference was found, by what both orders say together. */
type Counts = Record<Preference['order'], number>;

/** A judge with a habit in each row: it says what it is told, of what it is shown first and second. */
function judge(pair: Pair, answer: (first_is_a: boolean) => string): Preference | null | undefined {
  const request = {
    role: 'judge',
    mode: 'pairwise',
    occasion: `audit:${pair.idx}`,
    prompt: `${pair.instruction}\n${pair.input}`,
    completion: pair.response1,
    opponent: pair.response2,
    ground_truth: null,
  } as const;
  const [ab, ba] = ballotsOf(request, 'pairwise', panel).map(({ shown, order }) => {
    const { messages, choices } = guardedPrompting(rubric, 'pairwise', shown, control);
    expect(choices).toEqual(['A', 'C', 'B']);
    const framed = [...(messages.at(-1)?.content ?? '').matchAll(/\[begin ([0-9a-f]{16})\]\n([\s\S]*?)\n\[end \1\]/g)];
    const both = [pair.response1, pair.response2].map((text) => breakUp(text, control));
    expect(framed.map(([, , text]) => text)).toEqual(order === 'ab' ? both : both.reverse());
    return inOrder(readReply(said(answer(order === 'ab')), 'pairwise', rubric), order ?? 'ab');
  });
  return ab && ba && combinePair({ ab: [ab], ba: [ba] }, panel).preference;
}

describe.skipIf(!existsSync(folder))('on pairs of PandaLM', () => {
  const read = <T>(name: string): T[] => JSON.parse(readFileSync(join(folder, name), 'utf8'));
  // Six rows have `true` in place of a response.
  const pairs = read<Pair>('testset-v1.json').filter(
    ({ response1, response2 }) => typeof response1 === 'string' && typeof response2 === 'string',
  );

  test('each is shown in both orders, and what depends on the order is counted as JudgeLM counts it', () => {
    const says: ((first_is_a: boolean) => string)[] = [
      // The same completion in both orders, a tie, always the first, always the second.
      (first_is_a) => (first_is_a ? 'A' : 'B'),
      () => 'C',
      () => 'A',
      () => 'B',
    ];
    const counts: Counts = { ab: 0, ba: 0, consistent: 0, first: 0, second: 0 };
    for (const pair of pairs) {
      const habit = pair.idx % 4;
      const found = judge(pair, says[habit] as (first_is_a: boolean) => string);
      expect(found?.label).toBe(['A', 'tie', 'tie', 'tie'][habit]);
      counts[found?.order ?? 'ab'] += 1;
    }
    const planted = (...habits: number[]) => pairs.filter(({ idx }) => habits.includes(idx % 4)).length;
    expect(pairs.length).toBeGreaterThan(980);
    expect(counts).toEqual({ ab: 0, ba: 0, consistent: planted(0, 1), first: planted(2), second: planted(3) });
  });

  test('a judge that says what GPT-3.5 said agrees with the people as GPT-3.5 does', () => {
    const said_by_gpt = new Map(
      read<{ idx: number; gpt_result: string }>('gpt-3.5-turbo-testset-v1.json').map(({ idx, gpt_result }) => [
        idx,
        gpt_result,
      ]),
    );
    const labels = pairs.map((pair) => {
      const better = said_by_gpt.get(pair.idx);
      const answer = (first_is_a: boolean) =>
        better === '1' ? (first_is_a ? 'A' : 'B') : better === '2' ? (first_is_a ? 'B' : 'A') : 'C';
      return { better, label: judge(pair, answer)?.label };
    });
    const named: Record<string, string> = { '1': 'A', '2': 'B' };
    for (const { better, label } of labels) expect(label).toBe(named[better ?? ''] ?? 'tie');
  });
});
