import type { Audit } from '../../contracts/audit.ts';
import { ValueRule, VerdictKind } from '../../contracts/verdict.ts';
import { type Html, html, table } from '../html.ts';
import { count, measured, word } from '../words.ts';
import { section } from './section.ts';

export function coverage(audit: Audit): Html {
  const question = 'Was every answer graded?';
  const { counts, value_rules, grader, judge } = audit.coverage;
  const seen = Object.values(counts);
  const kinds = VerdictKind.options.filter((kind) => kind === 'scored' || seen.some((of) => (of[kind] ?? 0) > 0));
  return section(
    'coverage',
    question,
    html`<p>The grader scored ${measured(grader, 'share')} of the answers; the judge: ${judge ? measured(judge, 'share') : 'not measured'}. A ${word('verdict')} without a score is counted here and never taken for a score.
${audit.excluded_rows > 0 ? `${count(audit.excluded_rows)} rows were left out because their problem occurs in training.` : 'No row had to be left out for occurring in training.'}</p>`,
    table(
      'Verdicts by kind',
      [
        { head: 'graded by', cell: ([role]) => role },
        ...kinds.map((kind) => ({
          head: kind,
          cell: ([, of]: [string, Record<string, number>]) => count(of[kind] ?? 0),
          numeric: true,
        })),
        ...ValueRule.options.map((rule) => ({
          head: `value is the ${rule}`,
          cell: ([role]: [string, Record<string, number>]) => count(value_rules[role]?.[rule] ?? 0),
          numeric: true,
        })),
      ],
      Object.entries(counts),
    ),
  );
}
