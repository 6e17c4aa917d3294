import { AuditRecords } from '../audit-records.ts';
import { count } from '../figures.ts';
import { type Html, html } from '../html.ts';
import type { AuditData, ReportData } from '../report-data.ts';
import { word } from '../words.ts';
import { tiles } from './tiles.ts';
import { noVerdict, verdict } from './verdict.ts';
import { whatFollows } from './what-follows.ts';

/** What a reader sees first of a run: the verdict, what went wrong, the figures that count and what follows. */
export function runHeadline({ run, audit, failure, stages, overrides }: ReportData): Html {
  const why = failure ? 'The run ended before its audit' : 'The audit has not been made yet';
  const records = audit && new AuditRecords(audit);
  return html`<header><p class="kicker">gavel run report · ${run}</p>
${audit ? verdict(audit) : noVerdict(why, stages.length)}
${failure && html`<p class="failure"><strong>The run failed:</strong> ${failure}</p>`}
${overrides.map(served)}
${records && html`${tiles(records)}${whatFollows(records)}<p class="note">${story(records)}</p>`}</header>`;
}

const served = ({ at, node, reason }: ReportData['overrides'][number]) =>
  html`<p class="failure"><strong>Served with --override-audit</strong> at ${at} on ${node}: ${reason}.</p>`;

const story = ({ audit }: AuditRecords) =>
  html`A ${word('judge')} graded answers while a ${word('policy')} was trained on its scores; a ${word('grader')} then learned from these verdicts to grade as the judge does. The grader was checked on ${count(audit.rows)} answers to ${count(audit.prompts)} prompts, none of which occurs in the verdicts that it learned from. What the models had seen before this run is not known here.`;

/** The same of an audit without a run. */
export function auditHeadline({ audit }: AuditData): Html {
  const records = new AuditRecords(audit);
  return html`<header><p class="kicker">gavel audit report · ${audit.run}</p>
${verdict(audit)}${tiles(records)}${whatFollows(records)}
<p class="note">Whether any of the models was trained on these rows is not known here.</p></header>`;
}
