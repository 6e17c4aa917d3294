/** Text that is already HTML. Everything else put into `html` is escaped, because model text may hold markup. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  toString(): string {
    return this.text;
  }
}

export type Part = Html | string | number | null | undefined | false | readonly Part[];

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}

/** Tagged template: escapes each value; `null`, `undefined` and `false` leave nothing, an array is joined. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.reduce((text, string, index) => text + render(parts[index - 1]) + string));
}

function render(part: Part): string {
  if (part === null || part === undefined || part === false) return '';
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(render).join('');
  return escapeHtml(String(part));
}

export interface Column<Row> {
  head: Part;
  /** null: there is nothing to say of this row here. */
  cell: (row: Row) => Part;
  numeric?: boolean;
  /** The head as text. A table whose columns have it becomes a list of blocks on a narrow screen. */
  label?: string;
}

/** A table with its caption; the first column heads each row. On a narrow screen it scrolls within its own frame, or becomes a list. */
export function table<Row>(caption: string, columns: Column<Row>[], rows: Row[]): Html {
  const head = columns.map(({ head, numeric }) => html`<th scope="col"${numericClass(numeric)}>${head}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map(({ cell, numeric, label }, index) =>
      index === 0 ? html`<th scope="row">${cell(row)}</th>` : dataCell(cell(row), { numeric, label }),
    );
    return html`<tr>${cells}</tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table${columns.some(({ label }) => label) && new Html(' class="stack"')}>
<caption>${caption}</caption><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function dataCell(
  content: Part,
  { numeric, label }: { numeric: boolean | undefined; label: string | undefined },
): Html {
  if (content === null) return html`<td class="nothing${numeric && ' number'}">–</td>`;
  return html`<td${numericClass(numeric)}${label && html` data-label="${label}"`}>${content}</td>`;
}

function numericClass(numeric: boolean | undefined): Html {
  return new Html(numeric ? ' class="number"' : '');
}
