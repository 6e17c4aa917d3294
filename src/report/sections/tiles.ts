import type { MeasureRecord } from '../../contracts/audit.ts';
import { type AuditRecords, askedName, parseId } from '../audit-records.ts';
import { figure, range } from '../figures.ts';
import { type Html, html, type Part } from '../html.ts';
import { measureName } from '../part/measure-table.ts';
import { badge, boundText } from './gates.ts';

/** Figures that are shown at the top besides those that gates are about, where the audit has them. */
const besides = ['policy.policy.held_out.gain', 'speed.grader.headline.over_judge'];

/** More than these do not fit beside each other; the table of gates has all. */
const MOST_TILES = 8;

/** The figures at the top: what the gates are about, then what was won. */
export function tiles(records: AuditRecords): Html | null {
  const { audit } = records;
  const gated = audit.gates.flatMap((gate) =>
    gate.matches.map(({ record, verdict }) => {
      const { unit } = records.measure(record.id);
      return tile(records, record, html`${badge(verdict)} ${boundText(gate, unit)}`);
    }),
  );
  const others = besides.flatMap((id) => {
    const record = records.find(id);
    return record === null ? [] : [tile(records, record)];
  });
  const all = [...gated.slice(0, MOST_TILES - others.length), ...others];
  return all.length === 0 ? null : html`<dl class="tiles">${all}</dl>`;
}

function tile(records: AuditRecords, record: MeasureRecord, decided?: Part): Html {
  const measure = records.measure(record.id);
  const { unit } = measure;
  const [number = '', ...words] = record.point === null ? [] : figure(record.point, unit).split(' ');
  const value =
    record.point === null
      ? html`<strong class="absent">not computable</strong>`
      : html`<strong>${number}${words.length > 0 && html` <small>${words.join(' ')}</small>`}</strong>`;
  const interval = range(record, unit);
  const slice = record.slice === 'all' ? '' : `, ${record.slice}`;
  return html`<div><dt>${measureName(measure)}</dt><dd>${value}${interval && html`<span>interval ${interval}</span>`}<span>${askedName(parseId(record.id))}${slice}</span>${decided && html`<span>${decided}</span>`}</dd></div>`;
}
