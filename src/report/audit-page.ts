import { AuditRecords } from './audit-records.ts';
import { page } from './page.ts';
import type { AuditData } from './report-data.ts';
import { audited } from './sections/audited.ts';
import { cost } from './sections/cost.ts';
import { gates } from './sections/gates.ts';
import { words } from './sections/glossary.ts';
import { guard } from './sections/guard.ts';
import { auditHeadline } from './sections/headline.ts';
import { part } from './sections/part.ts';
import { reproduceAudit } from './sections/reproduce.ts';

/** The report of an audit without a run: the same, less what only a run has. */
export async function auditPage(data: AuditData): Promise<string> {
  const { audit, ledger, rubric } = data;
  const records = new AuditRecords(audit);
  return page(`${audit.verdict}: ${audit.run} (gavel audit)`, [
    auditHeadline(data),
    gates(records),
    await Promise.all(records.graderParts().map((info) => part(records, info))),
    audited(records),
    rubric && guard(data),
    cost(audit, ledger && { totals: ledger, calls: 'in this audit' }),
    reproduceAudit(data),
    words(audit, false),
  ]);
}
