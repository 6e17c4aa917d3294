import type { MeasureInfo, MeasureRecord } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, askedName } from '../audit-records.ts';
import { count, figure, range } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { explained, word } from '../words.ts';

/** Every measure of a part over all rows: a row each, and a column for each role and mode. */
export function measureTable(records: AuditRecords, part: string): Html {
  const asked = records.asked(part);
  return table(
    'All figures, with intervals',
    [
      { head: 'measure', cell: measureName },
      ...asked.map((one) => ({
        head: columnHead(records, one),
        label: askedName(one),
        cell: (measure: MeasureInfo) => cell(records.of(part, one, measure.name), measure),
        numeric: true,
      })),
    ],
    records.measures(part),
  );
}

export const measureId = ({ part, name }: Pick<MeasureInfo, 'part' | 'name'>) => `measure-${part}-${name}`;

export const measureName = (measure: MeasureInfo): Html =>
  measure.meaning ? explained(measureId(measure), measure.label, measure.meaning) : html`${measure.label}`;

export const columnHead = (records: AuditRecords, asked: Asked): Html =>
  html`${askedName(asked)}${records.isHeadline(asked) && html` <span class="badge">${word('headline mode', 'headline')}</span>`}`;

function cell(record: MeasureRecord | null, { unit }: MeasureInfo): Html {
  if (record === null) return html`–`;
  const n = `n ${count(record.n)}`;
  if (record.point === null) return html`not computable<small>${record.method}</small><small>${n}</small>`;
  const interval = range(record, unit) ?? `no interval: ${record.method}`;
  return html`<strong>${figure(record.point, unit)}</strong><small>${interval}</small><small>${n}</small>`;
}
