import type { MeasureInfo, MeasureRecord } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, askedName } from '../audit-records.ts';
import { count, figure, listed, range } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { explained, word } from '../words.ts';

/**
 * Every measure of a part over all rows: a row each, and a column for each role and mode. Contestants that gave nothing
 * to measure, and shares that are 0 for everybody, are named below it.
 */
export function measureTable(records: AuditRecords, part: string): Html {
  const all = { asked: records.asked(part), measures: records.measures(part) };
  const of = (one: Asked, measure: MeasureInfo) => records.of(part, one, measure.name);
  const asked = all.asked.filter((one) => all.measures.some((measure) => (of(one, measure)?.n ?? 0) > 0));
  const isZero = (measure: MeasureInfo) =>
    measure.unit === 'share' && asked.every((one) => (of(one, measure)?.point ?? 0) === 0);
  const measures = all.measures.filter((measure) => asked.length === 0 || !isZero(measure));
  const silent = all.asked.filter((one) => !asked.includes(one)).map(askedName);
  const zero = all.measures.filter((measure) => !measures.includes(measure)).map(({ label }) => label);
  return html`${table(
    'All figures, with intervals',
    [
      { head: 'measure', cell: measureName },
      ...asked.map((one) => ({
        head: columnHead(records, one),
        label: askedName(one),
        cell: (measure: MeasureInfo) => cell(of(one, measure), measure),
        numeric: true,
      })),
    ],
    measures,
  )}${silent.length > 0 && html`<p class="note">Nothing to measure here: ${listed(silent)} (n 0).</p>`}${zero.length > 0 && html`<p class="note">0% for everybody: ${listed(zero)}.</p>`}`;
}

export const measureId = ({ part, name }: Pick<MeasureInfo, 'part' | 'name'>) => `measure-${part}-${name}`;

export const measureName = (measure: MeasureInfo): Html =>
  measure.meaning ? explained(measureId(measure), measure.label, measure.meaning) : html`${measure.label}`;

export const columnHead = (records: AuditRecords, asked: Asked): Html =>
  html`${askedName(asked)}${records.isHeadline(asked) && html` <span class="badge">${word('headline mode', 'headline')}</span>`}`;

/** What is exact or has no interval has its reason in the place of one. */
function cell(record: MeasureRecord | null, { unit }: MeasureInfo): Html | null {
  if (record === null) return null;
  const n = html`<small>n ${count(record.n)}</small>`;
  if (record.point === null) return html`not computable<small>${record.method}</small>${n}`;
  const isInterval = record.low !== null && record.low !== record.high;
  return html`<strong>${figure(record.point, unit)}</strong><small>${isInterval ? range(record, unit) : record.method}</small>${n}`;
}
