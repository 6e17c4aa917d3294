import { AuditRecords } from './audit-records.ts';
import type { Html } from './html.ts';
import { page } from './page.ts';
import type { ReportData } from './report-data.ts';
import { audited } from './sections/audited.ts';
import { cost } from './sections/cost.ts';
import { gates } from './sections/gates.ts';
import { words } from './sections/glossary.ts';
import { guard } from './sections/guard.ts';
import { runHeadline } from './sections/headline.ts';
import { interruptions } from './sections/interruptions.ts';
import { part } from './sections/part.ts';
import { policy } from './sections/policy.ts';
import { reproduceRun } from './sections/reproduce.ts';
import { noAudit, notMeasured, section } from './sections/section.ts';

/** The report of a run: what its audit found, and how the run itself went. */
export async function runPage(data: ReportData): Promise<string> {
  const { audit, ledger, run } = data;
  return page(`${audit?.verdict ?? 'No verdict'}: ${run} (gavel report)`, [
    runHeadline(data),
    ...(await findings(data)),
    await policy(data),
    guard(data),
    cost(audit, { totals: ledger, calls: 'in the whole run' }),
    await interruptions(data),
    reproduceRun(data),
    words(audit, true),
  ]);
}

async function findings({ audit }: ReportData): Promise<Html[]> {
  if (audit === null) return [section('audit', 'What did the audit find?', notMeasured(noAudit))];
  const records = new AuditRecords(audit);
  return [
    gates(records),
    ...(await Promise.all(records.graderParts().map((info) => part(records, info)))),
    audited(records),
  ];
}
