import type { Audit, GateResult } from '../../contracts/audit.ts';
import { type AuditRecords, askedName, parseId } from '../audit-records.ts';
import { count, figure, pointText, type Unit } from '../figures.ts';
import { type Html, html, type Part, table } from '../html.ts';
import { word } from '../words.ts';
import { notMeasured, section } from './section.ts';

/** Matches of one gate that are shown; audit.json has the rest. */
const MOST_MATCHES = 40;

type Verdict = Audit['verdict'];
type Match = GateResult['matches'][number];

interface Line {
  gate: Part;
  verdict: Verdict;
  value: Part;
  why: Part;
}

export function gates(records: AuditRecords): Html {
  const question = 'Which gates were cleared?';
  const { audit } = records;
  if (audit.gates.length === 0)
    return section('gates', question, notMeasured('no gates were set, so nothing was decided.'));
  return section(
    'gates',
    question,
    html`<p>A ${word('gate')} is cleared (PASS) when the whole ${word('interval')} lies on the right side of its bound, missed (FAIL) when the whole interval lies on the wrong side, and undecided (INCONCLUSIVE) else. A gate with several matches is cleared when each of them is, and when nothing that it is about was left without a figure.</p>`,
    table(
      'Gates',
      [
        { head: 'gate', cell: ({ gate }: Line) => gate },
        { head: 'verdict', label: 'verdict', cell: ({ verdict }: Line) => badge(verdict) },
        { head: 'measured', label: 'measured', cell: ({ value }: Line) => value, numeric: true },
        { head: 'why', label: 'why', cell: ({ why }: Line) => why },
      ],
      audit.gates.flatMap((gate) => lines(records, gate)),
    ),
  );
}

export const badge = (verdict: Verdict): Html => html`<span class="badge ${verdict.toLowerCase()}">${verdict}</span>`;

function lines(records: AuditRecords, gate: GateResult): Line[] {
  const [first] = gate.matches;
  if (first === undefined) {
    const { verdict, reason: why } = gate;
    return [{ gate: html`<code>${pattern(gate)}</code>`, verdict, value: 'not measured', why }];
  }
  // A gate that its only match clears may still be undecided, for what it is about and was not measured.
  if (gate.matches.length === 1 && gate.verdict === first.verdict)
    return [match(records, gate, { ...first, reason: gate.reason })];
  const sorted = [...gate.matches].sort((a, b) => order[a.verdict] - order[b.verdict]);
  const left = sorted.length - MOST_MATCHES;
  const all = {
    gate: html`<code>${pattern(gate)}</code>`,
    verdict: gate.verdict,
    value: gate.matches.length === 1 ? '1 match' : `${count(gate.matches.length)} matches`,
    why: html`${gate.reason}${left > 0 && html`<small>${count(left)} are in audit.json and not shown here.</small>`}`,
  };
  return [all, ...sorted.slice(0, MOST_MATCHES).map((one) => match(records, gate, one))];
}

const order = { FAIL: 0, INCONCLUSIVE: 1, PASS: 2 };

const pattern = ({ id, slice }: GateResult) => (slice === 'all' ? id : `${id} (${slice})`);

function match(records: AuditRecords, gate: GateResult, { record, verdict, reason }: Match): Line {
  const { label, unit } = records.measure(record.id);
  return {
    gate: html`${label} ${boundText(gate, unit)}<small>${askedName(parseId(record.id))}${record.slice !== 'all' && `, ${record.slice}`}</small>`,
    verdict,
    value: html`${pointText(record, unit)}<small>n ${count(record.n)}, ${count(record.prompts)} prompts</small>`,
    why: reason,
  };
}

/** "≥ 0.600". */
export function boundText({ at_least, at_most }: Pick<GateResult, 'at_least' | 'at_most'>, unit: Unit): string {
  const bounds = [at_least !== null && `≥ ${figure(at_least, unit)}`, at_most !== null && `≤ ${figure(at_most, unit)}`];
  return bounds.filter((bound) => bound !== false).join(', ');
}
