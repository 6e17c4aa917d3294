import type { Audit } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, parseId, plain, sameAsked } from '../audit-records.ts';
import { count, level } from '../figures.ts';
import { type Html, html } from '../html.ts';
import { columnHead } from '../part/measure-table.ts';
import { word } from '../words.ts';

/** What an audit says to the reader who decides: for each mode of the grader, and how far the verdict reaches. */
export function whatFollows(records: AuditRecords): Html {
  const { audit } = records;
  const said = records.candidates().map((one) => saidOf(records, one));
  return html`<div class="follows"><h2>What follows</h2>
${said}
<p>${reach(records)} ${rightness(audit)} ${excluded(audit)}</p>
${look(audit)}${guided(audit)}</div>`;
}

/** The findings about one contestant: of each part the first, those that are drawn, and those that a gate is about. */
function saidOf(records: AuditRecords, asked: Asked): Html | null {
  const { audit } = records;
  const gated = new Set(audit.gates.flatMap(({ matches }) => matches.map(({ record }) => record.id)));
  const own = audit.findings
    .map((finding) => ({ finding, id: parseId(finding.id) }))
    .filter(({ id }) => sameAsked(id, asked));
  const texts = records
    .graderParts()
    .flatMap(({ part }) =>
      own
        .filter(({ id }) => id.part === part)
        .filter(({ finding }, at) => at === 0 || gated.has(finding.id) || records.measure(finding.id).chart),
    )
    .map(({ finding }) => finding.text);
  if (texts.length === 0) return null;
  return html`<h3>${columnHead(records, asked)}</h3><ul class="findings">${texts.map((text) => html`<li>${text}</li>`)}</ul>`;
}

/** Which parts a cleared gate is about, of which no gate matched a figure, and which were not measured. */
function reach(records: AuditRecords): Html {
  const { covers, gates } = records.audit;
  const parts = records.graderParts().map(({ part }) => part);
  const gated = new Set(gates.flatMap(({ matches }) => matches.map(({ record }) => parseId(record.id).part)));
  const others = parts.filter((part) => !gated.has(part) && records.asked(part).length > 0);
  const absent = parts.filter((part) => records.asked(part).length === 0);
  const covered =
    covers.length === 0
      ? 'No cleared gate is about the grader, so the verdict vouches for nothing.'
      : html`The verdict covers ${links(covers, 'and')}.`;
  const silent =
    others.length > 0 &&
    html` No gate matched a figure of ${links(others, 'or')}: what is shown there decided nothing.`;
  return html`${covered}${silent}${absent.length > 0 && html` Not measured: ${links(absent, 'and')}.`}`;
}

/** Links to the sections of parts, as a sentence lists them. */
function links(parts: string[], last: 'and' | 'or'): Html[] {
  return parts.map((part, at) => {
    const before = at === 0 ? '' : at === parts.length - 1 ? ` ${last} ` : ', ';
    return html`${before}<a href="#part-${part}">${plain(part)}</a>`;
  });
}

function rightness({ threshold, subject, truth_labels }: Audit): Html | string {
  if (subject === 'pairwise' || Object.keys(truth_labels).length === 0) return '';
  return html`A verdict counts as “right” where a ${word('score')} of ${threshold} or more has over half of the probability.`;
}

function excluded({ excluded_rows: rows }: Audit): string {
  if (rows === 0) return '';
  return `${count(rows)} ${rows === 1 ? 'row was' : 'rows were'} left out because ${rows === 1 ? 'its prompt occurs' : 'their prompts occur'} in the training traces.`;
}

/** A later look at the same rows has wider intervals, so that looking again cannot buy a pass. */
function look({ look: { number, asked_confidence }, confidence }: Audit): Html | null {
  if (number === 1) return null;
  return html`<p class="warning">This is ${word('look')} number ${count(number)} at these prompts. Every interval is therefore at ${level(confidence)} instead of ${level(asked_confidence)}: looking again must not be a way to pass by luck. Rows on fresh prompts would count as a first look.</p>`;
}

function guided({ reference_guided, contestants }: Audit): Html | null {
  if (!reference_guided) return null;
  const all = contestants.some(({ role }) => role === 'judge') ? 'judge and grader were' : 'the grader was';
  return html`<p class="warning">The rubric is reference-guided: ${all} shown the ${word('ground truth')}. Agreement with the truth says little then about answers whose truth is unknown.</p>`;
}
