import type { CountTable } from '../../contracts/audit.ts';
import { type AuditRecords, askedName, parseId, type RecordId } from '../audit-records.ts';
import { count, fixed } from '../figures.ts';
import { type Html, html } from '../html.ts';

/** The tables of counts of a part, shaded by the share of each row. Tables of one row become rows of one table. */
export function countTables(records: AuditRecords, part: string): Html | null {
  const all = records.audit.tables
    .map((table) => ({ table, id: parseId(table.id) }))
    .filter(({ id }) => id.part === part)
    .sort((a, b) => records.rank(a.id) - records.rank(b.id));
  if (all.length === 0) return null;
  const groups = [...Map.groupBy(all, ({ id }) => id.measure).values()];
  return html`<div class="pair">${groups.flatMap((group) => {
    const [first] = group;
    if (first && group.length > 1 && group.every(({ table }) => table.rows.length === 1))
      return shaded(joined(first.table, group));
    return group.map(({ table, id }) => shaded({ ...table, label: `${askedName(id)}: ${table.label}` }));
  })}</div><p class="note">Numbers of answers. Stronger colour: a larger share of its row.${all.some(({ table }) => isSquare(table)) && ' Outlined: both are the same.'}</p>`;
}

/** One table of several that have one row each: a row for each contestant. */
function joined(first: CountTable, group: { table: CountTable; id: RecordId }[]): CountTable {
  return {
    ...first,
    row_label: 'graded by',
    rows: group.map(({ id }) => askedName(id)),
    cells: group.map(({ table }) => table.cells[0] ?? []),
  };
}

/** Whether rows and columns are the same labels. */
const isSquare = ({ rows, columns }: Pick<CountTable, 'rows' | 'columns'>) =>
  rows.length === columns.length && rows.every((row, index) => row === columns[index]);

function shaded({ label, row_label, column_label, rows, columns, cells }: CountTable): Html {
  const sameOnBoth = isSquare({ rows, columns });
  const head = columns.map((column) => html`<th scope="col">${column}</th>`);
  const body = rows.map((row, at) => {
    const counts = cells[at] ?? [];
    const total = counts.reduce((sum, rowsOfCell) => sum + rowsOfCell, 0) || 1;
    const drawn = counts.map((cell, column) => {
      const share = cell / total;
      const marks = [share > 0.55 && 'dark', sameOnBoth && at === column && 'same'].filter(Boolean).join(' ');
      return html`<td class="${marks}" style="--share:${fixed(share, 2)}">${cell === 0 ? '' : count(cell)}</td>`;
    });
    return html`<tr><th scope="row">${row}</th>${drawn}</tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}"><table class="counts">
<caption>${label}</caption><thead><tr><th scope="col" class="corner">${row_label} ↓<br>${column_label} →</th>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
