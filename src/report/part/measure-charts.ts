import type { MeasureInfo } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, askedName, isComputed } from '../audit-records.ts';
import { figureOf, ink, roleColor } from '../chart.ts';
import { figure, listed } from '../figures.ts';
import { type Html, html } from '../html.ts';
import { type IntervalRow, intervalChart } from '../interval-chart.ts';

/** A picture for each measure that asks for one; where one contestant was measured alone, one for each unit. */
export async function measureCharts(records: AuditRecords, part: string): Promise<Html | null> {
  const measures = records.measures(part).filter(({ chart }) => chart);
  const asked = records.asked(part);
  const [only] = asked;
  const drawings =
    only && asked.length === 1
      ? alone(records, part, measures, only)
      : measures.map((measure) => sideBySide(records, part, measure, asked));
  if (drawings.length === 0) return null;
  return html`<div class="pair">${await Promise.all(drawings)}</div>`;
}

function sideBySide(records: AuditRecords, part: string, measure: MeasureInfo, asked: Asked[]): Promise<Html> {
  const rows = asked.flatMap((one): IntervalRow[] => {
    const record = records.of(part, one, measure.name);
    if (record === null) return [];
    return [{ label: askedName(one), record, color: colorOf(records, one), first: records.isHeadline(one) }];
  });
  const bounds = boundsOn(records, part, measure.name);
  const chance = measure.chance ?? (measure.unit === 'difference' ? 0 : null);
  const notes = [
    rows.some(({ first }) => first) && rows.length > 1 && 'In bold: the headline mode.',
    chance !== null && `Dashed: ${measure.chance === null ? 'no difference' : 'what guessing gets'}.`,
    bounds.length > 0 && `Red: the bound of a gate (${listed(bounds.map((bound) => figure(bound, measure.unit)))}).`,
  ].filter((note) => note !== false);
  const chart = intervalChart({ title: capitalized(measure.label), unit: measure.unit, rows, chance, bounds });
  return figureOf(chart, html`${measure.meaning} ${notes.join(' ')}`);
}

function alone(records: AuditRecords, part: string, measures: MeasureInfo[], one: Asked): Promise<Html>[] {
  return [...Map.groupBy(measures, ({ unit }) => unit)].map(([unit, group]) => {
    const rows = group.flatMap(({ name, label }): IntervalRow[] => {
      const record = records.of(part, one, name);
      return record === null ? [] : [{ label, record, color: colorOf(records, one) }];
    });
    const chance = unit === 'difference' ? 0 : null;
    return figureOf(intervalChart({ title: capitalized(askedName(one)), unit, rows, chance, bounds: [] }));
  });
}

function colorOf({ audit }: AuditRecords, asked: Asked): string {
  const roles = audit.contestants.map(({ role }) => role);
  return isComputed(asked) ? ink.soft : roleColor(asked.role, roles);
}

/** Bounds of the gates that are about a measure over all rows. */
function boundsOn({ audit }: AuditRecords, part: string, measure: string): number[] {
  const about = audit.gates.filter(({ matches }) =>
    matches.some(
      ({ record: { id, slice } }) => slice === 'all' && id.startsWith(`${part}.`) && id.endsWith(`.${measure}`),
    ),
  );
  return [...new Set(about.map(({ at_least, at_most }) => at_least ?? at_most))].filter((bound) => bound !== null);
}

const capitalized = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
