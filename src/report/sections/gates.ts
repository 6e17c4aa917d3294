import type { Audit } from '../../contracts/audit.ts';
import { type Html, html, table } from '../html.ts';
import { count, figure, gateMeasures, measured, type Scale, word } from '../words.ts';
import { notMeasured, section } from './section.ts';

type Gate = Audit['gates'][number];

const named = (gate: Gate) => gateMeasures[gate.measure] ?? { name: gate.measure, scale: 'kappa' as Scale };

export function gates(audit: Audit): Html {
  const question = 'Which gates were cleared?';
  if (audit.gates.length === 0) return section('gates', question, notMeasured('the spec sets no gates.'));
  return section(
    'gates',
    question,
    html`<p>A ${word('gate')} is cleared (PASS) when the whole ${word('interval')} lies at or above its bound, missed (FAIL) when the whole interval lies below it, and undecided (INCONCLUSIVE) in between.</p>`,
    table(
      'Gates',
      [
        { head: 'measure', cell: (gate) => named(gate).name },
        {
          head: 'verdict',
          cell: (gate) => html`<span class="badge ${gate.verdict.toLowerCase()}">${gate.verdict}</span>`,
        },
        { head: 'value', cell: (gate) => measured(gate.value, named(gate).scale), numeric: true },
        { head: 'bound', cell: (gate) => `≥ ${figure(gate.at_least, named(gate).scale)}`, numeric: true },
        { head: 'why', cell: why },
      ],
      audit.gates,
    ),
  );
}

/** The comparison that gave the verdict, in words. */
function why(gate: Gate): string {
  const { scale } = named(gate);
  const { low, high, point } = gate.value;
  const bound = figure(gate.at_least, scale);
  if (point === null) return 'cannot be computed from these rows';
  if (low === null || high === null) return 'too few problems for an interval';
  if (gate.verdict === 'PASS') return `even the lower end, ${figure(low, scale)}, is not below ${bound}`;
  if (gate.verdict === 'FAIL' && high < gate.at_least)
    return `even the upper end, ${figure(high, scale)}, is below ${bound}`;
  const more =
    gate.rows_needed === null ? 'more rows would tell' : `about ${count(gate.rows_needed)} more rows would tell`;
  return `${bound} lies within ${figure(low, scale)} to ${figure(high, scale)}: ${more}`;
}
