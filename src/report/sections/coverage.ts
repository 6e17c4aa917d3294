import type { Audit } from '../../contracts/audit.ts';
import { type Html, html, table } from '../html.ts';
import { count, measured, word } from '../words.ts';
import { section } from './section.ts';

const kinds = ['scored', 'unparseable', 'refused', 'abstained', 'failed'];

export function coverage(audit: Audit): Html {
  const question = 'Was every answer graded?';
  const { counts, grader, judge } = audit.coverage;
  const more = new Set(
    Object.values(counts)
      .flatMap(Object.keys)
      .filter((kind) => !kinds.includes(kind)),
  );
  return section(
    'coverage',
    question,
    html`<p>The grader scored ${measured(grader, 'share')} of the answers; the judge: ${judge ? measured(judge, 'share') : 'not measured'}. A ${word('verdict')} without a score is counted here and never taken for a score.
${audit.excluded_rows > 0 ? `${count(audit.excluded_rows)} rows were left out because their problem occurs in training.` : 'No row had to be left out for occurring in training.'}</p>`,
    table(
      'Verdicts by kind',
      [
        { head: 'graded by', cell: ([role]) => role },
        ...[...kinds, ...more].map((kind) => ({
          head: kind,
          cell: ([, of]: [string, Record<string, number>]) => count(of[kind] ?? 0),
          numeric: true,
        })),
      ],
      Object.entries(counts),
    ),
  );
}
