import type { Audit } from '../../contracts/audit.ts';
import { type Asked, type AuditRecords, askedName, parseId, plain, sameAsked } from '../audit-records.ts';
import { count, level, listed } from '../figures.ts';
import { type Html, html } from '../html.ts';
import { word } from '../words.ts';

/** What an audit says to the reader who has to decide: for each mode of the grader, and how far the verdict reaches. */
export function whatFollows(records: AuditRecords): Html {
  const { audit } = records;
  const modes = records.candidates().flatMap((one) => saidOf(records, one) ?? []);
  return html`<div class="follows"><h2>What follows</h2>
${modes}
<p>${[reach(records), look(audit), ground(audit)].filter((text) => text !== null)}</p></div>`;
}

function saidOf({ audit, isHeadline }: AuditRecords, asked: Asked): Html | null {
  return null;
}
