import { stringify } from 'yaml';
import type { Audit } from '../../contracts/audit.ts';
import { clock, level } from '../figures.ts';
import { type Html, html } from '../html.ts';
import type { AuditData, ReportData } from '../report-data.ts';
import { notMeasured, section } from './section.ts';

const question = 'How is this made again?';

export function reproduceRun({ spec, spec_digest, audit }: ReportData): Html {
  if (spec === null) return section('reproduce', question, notMeasured('spec.json is missing or unreadable.'));
  return section(
    'reproduce',
    question,
    html`<p>Save the spec below as <code>spec.yaml</code>, give it another <code>run</code> name, and start it:</p>
<pre><code>npx gavel run spec.yaml --watch</code></pre>
<details><summary>The spec of this run${spec_digest && html` (digest <code>${spec_digest.slice(0, 12)}</code>)`}</summary><pre><code>${stringify(spec)}</code></pre></details>
${audit && made(audit)}`,
  );
}

export function reproduceAudit({ audit, command }: AuditData): Html {
  const again =
    command === null
      ? html`<p>Verdicts that the folder of this report holds are not asked for again.</p>`
      : html`<p>This command made it. Verdicts that its folder holds are not asked for again.</p>
<pre><code>${command}</code></pre>`;
  return section('reproduce', question, again, made(audit));
}

function made(audit: Audit): Html {
  const methods = new Set(audit.records.filter(({ low }) => low !== null).map(({ method }) => method));
  return html`<p class="note">Audited ${clock(audit.created_at)}. Intervals are at ${level(audit.confidence)}. How they were made: ${[...methods].join('; ') || 'there are none'}. The figures behind this page, and more slices of them, are in <code>audit.json</code> beside it.</p>`;
}
