import type { Audit, GateResult } from '../../contracts/audit.ts';
import { plainJson, plainText } from '../../plain-text.ts';
import { AuditRecords, askedName, parseId } from '../../report/audit-records.ts';
import { level, recordText } from '../../report/figures.ts';
import { paint, paintVerdict } from '../colors.ts';

/** The audit as one JSON object; nothing in it moves the cursor of a terminal. */
export function printJson(audit: Audit): void {
  console.log(plainJson(audit));
}

/** `places` are files and folders by what they hold. */
export function printResult(audit: Audit, places: Record<string, string>): void {
  console.log(`\n${resultText(audit)}\n`);
  const width = Math.max(...Object.keys(places).map((name) => name.length));
  for (const [name, path] of Object.entries(places)) console.log(`${name.padEnd(width)}  ${path}`);
}

/** What an audit found: the gates, the headline figures of every part, and the findings. */
export function resultText(audit: Audit): string {
  const records = new AuditRecords(audit);
  const { rows, prompts, confidence, look } = audit;
  const over = `${rows.toLocaleString('en-US')} rows, ${prompts.toLocaleString('en-US')} prompts, ${level(confidence)} intervals`;
  const again =
    look.number === 1
      ? ''
      : `\nLook ${look.number} at these prompts: ${level(look.asked_confidence)} was asked for, and every further look has to be surer.`;
  const parts = records.parts().map(({ part, question }) => partText(records, part, question));
  const findings = audit.findings.map(({ text }) => `  ${plainText(text)}`);
  return [
    `Audit ${paintVerdict(audit.verdict)} (${over})${again}`,
    titled(
      'Gates',
      audit.gates.map((gate) => gateText(records, gate)),
    ),
    ...parts,
    titled('What follows', findings),
  ]
    .filter(Boolean)
    .join('\n\n');
}

const titled = (title: string, lines: string[]) =>
  lines.length === 0 ? '' : [paint.bold(plainText(title)), ...lines].join('\n');

/** Matches of one gate that are printed; audit.json has the rest. */
const MOST_MATCHES = 10;

function gateText(records: AuditRecords, gate: GateResult): string {
  const { id, slice, at_least, at_most, matches, verdict, reason } = gate;
  const bound = at_least === null ? `at most ${at_most}` : `at least ${at_least}`;
  const name = plainText(slice === 'all' ? id : `${id} (${slice})`);
  const shown = matches.slice(0, MOST_MATCHES).map(({ record, ...match }) => {
    const value = recordText(record, records.measure(record.id).unit);
    const which = matches.length === 1 ? '' : `${match.verdict} ${record.id} (${record.slice}): `;
    // The reason of a gate says besides what it is about and has no record.
    const said = matches.length === 1 ? reason : match.reason;
    return `    ${plainText(`${which}${value}. ${said}`)}`;
  });
  const more = matches.length > MOST_MATCHES ? [`    and ${matches.length - MOST_MATCHES} more, in audit.json`] : [];
  const why = matches.length === 1 ? [] : [`    ${plainText(reason)}`];
  return [`  ${paintVerdict(verdict)}  ${name} ${bound}`, ...why, ...shown, ...more].join('\n');
}

/** The figures of a part over all rows: of everybody in the headline mode, and of who has no such mode in its own. */
function partText(records: AuditRecords, part: string, question: string): string {
  const { headline_mode } = records.audit;
  const asked = records.asked(part);
  const shown = asked.filter(
    ({ role, mode }) =>
      mode === headline_mode || !asked.some((other) => other.role === role && other.mode === headline_mode),
  );
  const lines = records.measures(part).flatMap(({ name, label, unit }) =>
    shown.flatMap((who) => {
      const record = records.of(part, who, name);
      return record === null ? [] : [[label, askedName(parseId(record.id)), recordText(record, unit)] as const];
    }),
  );
  const widths = [0, 1].map((at) => Math.max(0, ...lines.map((line) => plainText(line[at] as string).length)));
  const [label_width = 0, name_width = 0] = widths;
  return titled(
    question,
    lines.map(([label, name, value], at) => {
      const first = lines[at - 1]?.[0] === label ? '' : plainText(label);
      return `  ${paint.gray(first.padEnd(label_width))}  ${plainText(name).padEnd(name_width)}  ${plainText(value)}`;
    }),
  );
}
