import type { LedgerTotals } from '../../ledger/totals.ts';
import { figureOf } from '../chart.ts';
import { type Html, html, table } from '../html.ts';
import type { ReportData } from '../read-run.ts';
import { speedChart } from '../run-charts.ts';
import { count, duration, fixed, modeName, word } from '../words.ts';
import { noAudit, notMeasured, section } from './section.ts';

export async function cost({ audit, ledger }: ReportData): Promise<Html> {
  return section(
    'cost',
    'What do speed and cost look like?',
    audit ? await speed(audit) : notMeasured(noAudit),
    paid(ledger),
  );
}

async function speed(audit: NonNullable<ReportData['audit']>): Promise<Html> {
  const { grader_over_judge: used, same_mode: same } = audit.speed;
  const timed = audit.passes.filter((pass) => pass.verdicts_per_s !== null);
  const ratio =
    used === null
      ? notMeasured('the ratio of speeds needs timed verdicts of both grader and judge.')
      : html`<p>Each in the mode it is used in, the grader gives <strong>${fixed(used, 1)} times</strong> as many verdicts per second as the judge;
in the judge’s mode ${same === null ? 'the ratio was not measured' : html`<strong>${fixed(same, 1)} times</strong>`}. Verdicts that were ${word('replayed')} are left out.</p>`;
  return html`${ratio}${timed.length > 0 && (await figureOf(speedChart(timed)))}
${table(
  'Grading passes of the audit',
  [
    {
      head: 'graded by',
      cell: (pass) =>
        html`${pass.role}, ${pass.mode === 'reasoned' ? word('reasoned') : word('single_token', 'single token')}`,
    },
    { head: 'asked', cell: (pass) => count(pass.asked), numeric: true },
    { head: 'from the ledger', cell: (pass) => count(pass.rows - pass.asked), numeric: true },
    { head: 'time', cell: (pass) => duration(pass.seconds), numeric: true },
    {
      head: 'verdicts/s',
      cell: (pass) => (pass.verdicts_per_s === null ? 'not measured' : fixed(pass.verdicts_per_s, 1)),
      numeric: true,
    },
    { head: 'tokens read per verdict', cell: (pass) => each(pass.prompt_tokens, pass.asked), numeric: true },
    { head: 'tokens written per verdict', cell: (pass) => each(pass.completion_tokens, pass.asked), numeric: true },
  ],
  audit.passes,
)}<p class="note">Models: ${[...new Set(audit.passes.map(({ role, mode, model }) => `${role} (${modeName(mode)}): ${model}`))].join('; ')}.</p>`;
}

const each = (tokens: number, calls: number) => (calls === 0 ? '–' : fixed(tokens / calls, 1));

function paid(ledger: LedgerTotals | null): Html {
  const heading = html`<h3>Calls to the judge in the whole run</h3>`;
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
