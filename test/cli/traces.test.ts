import { expect, test } from 'vitest';
import { pretty } from '../../src/cli/traces.ts';
import { unscored } from '../../src/judging/value.ts';
import { aTrace } from '../ledger/a-trace.ts';

const head = (...trace: Parameters<typeof aTrace>) => pretty(aTrace(...trace)).split('\n')[0];

test('shows the score of a trace, and its value where that is an expectation', () => {
  expect(head(7)).toMatch(/judge {2}reasoned {2}score 7 {2}/);
  expect(head(7, { value: 6.524, value_rule: 'expectation' })).toContain('score 7 (value 6.52)');
});

test('shows why a trace has no score', () => {
  expect(head(7, unscored('refused'))).toMatch(/reasoned {2}refused {2}/);
  expect(head(7, { ...unscored('off_scale'), off_scale_mass: 0.973 })).toContain('off_scale (0.97 outside the digits)');
});
