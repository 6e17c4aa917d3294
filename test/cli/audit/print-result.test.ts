import { describe, expect, it } from 'vitest';
import { resultText } from '../../../src/cli/audit/print-result.ts';
import { Audit } from '../../../src/contracts/audit.ts';
import { audit, record } from '../../report/audit-fixture.ts';

const text = (change: object = {}) => resultText(Audit.parse({ ...audit, ...change }));
const lines = (change: object = {}) => text(change).split('\n');

describe('what an audit found, in a terminal', () => {
  it('begins with the verdict and what it rests on', () => {
    expect(lines()[0]).toBe('Audit PASS (660 rows, 110 prompts, 95% intervals)');
  });

  it('says that a further look has to be surer', () => {
    const look = { ...audit.look, number: 2 };
    expect(text({ look, confidence: 0.9875 })).toContain(
      '98.75% intervals)\nLook 2 at these prompts: 95% was asked for, and every further look has to be surer.',
    );
  });

  it('lists every gate with verdict, bound, value and reason', () => {
    expect(lines().slice(2, 5)).toEqual([
      'Gates',
      '  PASS  fidelity.grader.headline.quadratic_weighted_kappa at least 0.75',
      '    0.862 (0.831 to 0.893), n 660. even the lower end is not below the bound',
    ]);
  });

  it('gives the reason of a gate without a match, and each match of a gate with several', () => {
    const [first] = audit.gates;
    const none = { ...first, verdict: 'INCONCLUSIVE', matches: [], reason: 'Expected a record, found none.' };
    expect(text({ gates: [none] })).toContain(
      '  INCONCLUSIVE  fidelity.grader.headline.quadratic_weighted_kappa at least 0.75\n    Expected a record, found none.',
    );
    const matches = Array.from({ length: 12 }, (_, at) => ({
      ...{ record: record('fidelity.grader.single_token.exact', 0.5, 0.1, 50, `kind=${at}`), verdict: 'FAIL' },
      reason: 'too low',
    }));
    const shown = text({
      gates: [{ ...first, slice: 'kind=*', verdict: 'FAIL', matches, reason: '12 records: 12 FAIL.' }],
    });
    expect(shown).toContain('quadratic_weighted_kappa (kind=*) at least 0.75\n    12 records: 12 FAIL.');
    expect(shown).toContain(
      '    FAIL fidelity.grader.single_token.exact (kind=0): 50.0% (40.0% to 60.0%), n 50. too low',
    );
    expect(shown).toContain('    and 2 more, in audit.json');
  });

  it('gives the reason of a gate that is undecided although its only match passes', () => {
    const [first] = audit.gates;
    const shown = text({ gates: [{ ...first, verdict: 'INCONCLUSIVE', reason: 'It is also about kind=rare.' }] });
    expect(shown).toContain('  INCONCLUSIVE  fidelity.grader.headline');
    expect(shown).toContain('n 660. It is also about kind=rare.');
  });

  it('shows every role in the headline mode, and one that has no such mode in its own', () => {
    const kappa = lines().findIndex((line) => line.startsWith('  balanced accuracy  '));
    expect(lines().slice(kappa, kappa + 3)).toEqual([
      '  balanced accuracy   grader, single token  88.4% (85.8% to 91.0%), n 660',
      '                      judge, reasoned       90.5% (88.1% to 92.9%), n 660',
      '                      always pass           50.0%, n 660',
    ]);
    expect(text()).not.toContain('grader, reasoned  ');
    expect(text({ headline_mode: 'reasoned' })).toContain('grader, reasoned  95.5%');
  });

  it('ends with the findings', () => {
    expect(lines().at(-1)).toBe(`  ${audit.findings.at(-1)?.text}`);
  });

  it('writes no escape sequence that came with the data', () => {
    const [finding] = audit.findings;
    const [gate] = audit.gates;
    const shown = text({
      findings: [{ ...finding, text: 'Slice \u001b[2Jgone is worst.' }],
      gates: [{ ...gate, slice: 'kind=\u001b]0;owned\u0007', reason: '\u009b2J', matches: [] }],
    });
    expect(shown).toContain('Slice gone is worst.');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });
});
