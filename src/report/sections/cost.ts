import type { Audit } from '../../contracts/audit.ts';
import type { LedgerTotals } from '../../ledger/totals.ts';
import { askedName } from '../audit-records.ts';
import { count, duration, fixed } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { word } from '../words.ts';
import { noAudit, notMeasured, section } from './section.ts';

interface Judge {
  totals: LedgerTotals | null;
  /** Where its calls were made. */
  calls: string;
}

/** `judge: null`: nothing is said of the judge's calls. */
export function cost(audit: Audit | null, judge: Judge | null): Html {
  return section(
    'cost',
    'What did the verdicts cost?',
    audit ? passes(audit) : notMeasured(noAudit),
    judge && paid(judge),
  );
}

type Pass = Audit['passes'][number];

function passes({ passes: all }: Audit): Html {
  if (all.length === 0) return notMeasured('no model was asked: every verdict came from a file.');
  return html`<p>Each model was asked once about each row. Rows that were ${word('replayed')} took no time and are left out of it.</p>${table(
    'Grading passes of the audit',
    [
      { head: 'graded by', cell: (pass: Pass) => askedName(pass) },
      { head: 'model', cell: ({ model }: Pass) => model },
      { head: 'asked', cell: (pass: Pass) => count(pass.asked), numeric: true },
      { head: 'from the ledger', cell: (pass: Pass) => count(pass.rows - pass.asked), numeric: true },
      { head: 'time', cell: (pass: Pass) => duration(pass.seconds), numeric: true },
      {
        head: 'verdicts/s',
        cell: (pass: Pass) => (pass.verdicts_per_s === null ? 'not measured' : fixed(pass.verdicts_per_s, 1)),
        numeric: true,
      },
      { head: 'tokens read per verdict', cell: (pass: Pass) => each(pass.prompt_tokens, pass.asked), numeric: true },
      {
        head: 'tokens written per verdict',
        cell: (pass: Pass) => each(pass.completion_tokens, pass.asked),
        numeric: true,
      },
    ],
    all,
  )}`;
}

const each = (tokens: number, calls: number) => (calls === 0 ? '–' : fixed(tokens / calls, 1));

function paid({ totals: ledger, calls }: Judge): Html {
  const heading = html`<h3>Calls to the judge ${calls}</h3>`;
  if (ledger === null) return html`${heading}${notMeasured('the ledger was not read for this report.')}`;
  const paidFor = ledger.calls - ledger.replayed;
  const perCall = (total: number) => (paidFor === 0 ? '–' : fixed(total / paidFor, 1));
  return html`${heading}${table(
    'Cost, from the ledger',
    [
      { head: 'what', cell: ([what]) => what },
      { head: 'in all', cell: ([, total]) => total, numeric: true },
      { head: 'per call', cell: ([, , per]) => per, numeric: true },
    ],
    [
      ['verdicts of the judge', count(ledger.calls), ''],
      ['of these, identical text whose reply was used again', count(ledger.replayed), ''],
      ['calls paid for', count(paidFor), ''],
      ['tokens read', count(ledger.prompt_tokens), perCall(ledger.prompt_tokens)],
      ['tokens written', count(ledger.completion_tokens), perCall(ledger.completion_tokens)],
      [
        'time in calls (they run side by side)',
        duration(ledger.seconds),
        paidFor === 0 ? '–' : duration(ledger.seconds / paidFor),
      ],
    ],
  )}`;
}
