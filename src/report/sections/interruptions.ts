import { figureOf } from '../chart.ts';
import { clock, count, duration, fixed } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { interruptionChart } from '../interruption-chart.ts';
import type { ReportData } from '../report-data.ts';
import { word } from '../words.ts';
import { section } from './section.ts';

export async function interruptions(data: ReportData): Promise<Html> {
  return section(
    'interruptions',
    'Was the run interrupted, and what was lost?',
    await list(data),
    stages(data),
    missing(data),
    quarantine(data),
  );
}

async function list({ interruptions: all }: ReportData): Promise<Html> {
  if (all.length === 0) return html`<p>No process of this run was interrupted.</p>`;
  const lost = all.reduce((sum, { steps_lost }) => sum + (steps_lost ?? 0), 0);
  return html`<p>${count(all.length)} interruption${all.length > 1 && 's'}; ${count(lost)} training step${lost !== 1 && 's'} had to be repeated. Each time the stage resumed from the newest intact ${word('checkpoint')}.</p>
${await figureOf(interruptionChart(all))}
${table(
  'Interruptions',
  [
    { head: 'when', cell: ({ at }) => html`<time>${clock(at)}</time>` },
    { head: 'stage', cell: ({ stage }) => stage },
    { head: 'what stopped', cell: ({ what }) => what },
    { head: 'cause', cell: ({ cause }) => cause.replaceAll('_', ' ') },
    { head: 'what was said', cell: ({ message }) => message },
    { head: 'steps lost', cell: ({ steps_lost }) => steps_lost ?? 'not known', numeric: true },
    {
      head: 'until the next commit',
      cell: ({ seconds_to_next_commit: seconds }) => (seconds === null ? 'not known' : duration(seconds)),
      numeric: true,
    },
  ],
  all,
)}`;
}

function stages({ stages: done }: ReportData): Html {
  if (done.length === 0) return html`<p class="note">No stage has finished.</p>`;
  return table(
    'Stages that are done',
    [
      { head: 'stage', cell: ({ stage }) => stage },
      { head: word('epoch', 'epochs (attempts)'), cell: ({ epoch }) => epoch, numeric: true },
      { head: 'steps', cell: ({ step }) => count(step), numeric: true },
      { head: 'finished', cell: ({ finished_at }) => clock(finished_at) },
      { head: 'figures', cell: ({ metrics }) => summary(metrics) },
    ],
    done,
  );
}

function summary(metrics: Record<string, number | null>): string {
  const known = Object.entries(metrics).flatMap(([name, value]) =>
    value === null ? [] : [`${name} ${Number.isInteger(value) ? count(value) : fixed(value, 3)}`],
  );
  return known.join(', ') || '–';
}

function missing({ ledger }: ReportData): Html | null {
  const traces = ledger?.missing ?? 0;
  if (traces === 0) return null;
  const one = traces === 1;
  return html`<p>${count(traces)} trace${!one && 's'} of committed rollouts ${one ? 'is' : 'are'} missing from the ${word('ledger')}. The policy was trained with ${one ? 'this verdict' : 'these verdicts'}; ${one ? 'it' : 'they'} can no longer be looked up.</p>`;
}

function quarantine({ quarantine: names, problems }: ReportData): Html | null {
  const notes = [
    ...names.map(
      ({ name, reason }) =>
        html`<li><code>quarantine/${name}</code>: ${reason ?? 'set aside, no reason was written down'}</li>`,
    ),
    ...problems.map((problem) => html`<li>${problem}</li>`),
  ];
  return notes.length === 0 ? null : html`<h3>Set aside or unreadable</h3><ul>${notes}</ul>`;
}
