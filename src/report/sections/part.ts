import type { Audit } from '../../contracts/audit.ts';
import type { AuditRecords } from '../audit-records.ts';
import { type Html, html } from '../html.ts';
import { countTables } from '../part/count-tables.ts';
import { measureCharts } from '../part/measure-charts.ts';
import { measureTable } from '../part/measure-table.ts';
import { sliceTables } from '../part/slice-tables.ts';
import { notMeasured, section } from './section.ts';

type PartInfo = Audit['parts'][number];

/** A part of the audit: its question, what follows, then pictures, figures, counts and slices of whatever was measured. */
export async function part(records: AuditRecords, info: PartInfo): Promise<Html> {
  return section(`part-${info.part}`, info.question, await partBody(records, info));
}

export async function partBody(records: AuditRecords, { part, meaning, needs }: PartInfo): Promise<Html> {
  const explained = meaning && html`<p>${meaning}</p>`;
  if (records.asked(part).length === 0) return html`${explained}${notMeasured(`it needs ${needs}.`)}`;
  return html`${explained}${findings(records, part)}${await measureCharts(records, part)}${measureTable(records, part)}${countTables(records, part)}${sliceTables(records, part)}`;
}

function findings({ audit }: AuditRecords, part: string): Html | null {
  const texts = audit.findings.filter(({ id }) => id.startsWith(`${part}.`)).map(({ text }) => html`<li>${text}</li>`);
  return texts.length === 0 ? null : html`<ul class="findings">${texts}</ul>`;
}
