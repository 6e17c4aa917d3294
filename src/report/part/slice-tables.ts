import type { Audit, MeasureInfo, MeasureRecord } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, askedName, plain } from '../audit-records.ts';
import { count, figure, range } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { measureName } from './measure-table.ts';

type SliceField = Audit['slices'][number];

/** Fields that the audit makes itself. */
const names: Record<string, string> = { score: 'the judge’s score', prompt_length: 'characters of the prompt' };

/** Values of a field that are shown; audit.json has the rest. Each is a column, and the report must stay small. */
const MOST_VALUES = 24;

/** For each field that the rows are sliced by, the figures of the headline mode and of the judge. */
export function sliceTables(records: AuditRecords, part: string): Html[] {
  return records.audit.slices.flatMap((field) => sliceTable(records, part, field) ?? []);
}

interface SliceRow {
  measure: MeasureInfo;
  asked: Asked;
}

function sliceTable(records: AuditRecords, part: string, { field, values, left_out }: SliceField): Html | null {
  const sliceOf = ({ value }: SliceField['values'][number]) => `${field}=${value}`;
  const measured = values.filter((value) => records.asked(part, sliceOf(value)).length > 0);
  const shown = measured.slice(0, MOST_VALUES);
  const [first] = shown;
  if (first === undefined) return null;
  const asked = records.asked(part, sliceOf(first));
  const chosen = asked.filter((one) => records.isHeadline(one) || one.role === 'judge');
  const rows = measuresOf(records, part, shown.map(sliceOf)).flatMap((measure) =>
    (chosen.length > 0 ? chosen : asked.slice(0, 1))
      .filter((one) => shown.some((value) => records.of(part, one, measure.name, sliceOf(value)) !== null))
      .map((one): SliceRow => ({ measure, asked: one })),
  );
  const name = names[field] ?? plain(field);
  const notes = [
    left_out,
    measured.length > shown.length &&
      `${count(measured.length - shown.length)} more values are in audit.json and not shown here.`,
  ].filter((note) => note !== null && note !== false);
  return html`<details><summary>By ${name} (${values.length > shown.length && `${count(shown.length)} of `}${count(values.length)} values)</summary>${table(
    `By ${name}`,
    [
      {
        head: 'measure',
        cell: ({ measure, asked: one }: SliceRow) => html`${measureName(measure)}<small>${askedName(one)}</small>`,
      },
      ...shown.map((value) => ({
        head: html`${value.value}<small>${count(value.rows)} answers, ${count(value.prompts)} prompts</small>`,
        cell: ({ measure, asked: one }: SliceRow) =>
          cell(records.of(part, one, measure.name, sliceOf(value)), measure, value.rows),
        numeric: true,
      })),
    ],
    rows,
  )}${notes.length > 0 && html`<p class="note">${notes.join(' ')}</p>`}</details>`;
}

function measuresOf(records: AuditRecords, part: string, slices: string[]): MeasureInfo[] {
  const found = new Map(slices.flatMap((slice) => records.measures(part, slice)).map((info) => [info.name, info]));
  return [...found.values()];
}

/** n is written where it is not that of the slice. */
function cell(record: MeasureRecord | null, { unit }: MeasureInfo, rows: number): Html | null {
  if (record === null) return null;
  const n = record.n !== rows && html`<small>n ${count(record.n)}</small>`;
  if (record.point === null) return html`not computable${n}`;
  return html`<strong>${figure(record.point, unit)}</strong><small>${range(record, unit) ?? 'no interval'}</small>${n}`;
}
