import { Html, html } from './html.ts';
import type { ReportData } from './read-run.ts';
import { cost } from './sections/cost.ts';
import { coverage } from './sections/coverage.ts';
import { fidelity } from './sections/fidelity.ts';
import { gates } from './sections/gates.ts';
import { guard } from './sections/guard.ts';
import { headline } from './sections/headline.ts';
import { interruptions } from './sections/interruptions.ts';
import { policy } from './sections/policy.ts';
import { reproduce, words } from './sections/reproduce.ts';
import { noAudit, notMeasured, section } from './sections/section.ts';
import { truth } from './sections/truth.ts';
import { style } from './style.ts';

/** The whole report as one HTML text: no script, nothing fetched. The policy in its head makes sure of that. */
export async function page(data: ReportData): Promise<string> {
  const { audit } = data;
  const audited = audit && [gates(audit), await fidelity(audit), await truth(audit), coverage(audit)];
  const [first, ...rest] = audited ?? [section('audit', 'What did the audit find?', notMeasured(noAudit))];
  const run = [guard(data), await cost(data), await interruptions(data), reproduce(data), words()];
  const sections = [first, await policy(data), ...rest, ...run];
  const title = `${data.audit?.verdict ?? 'No verdict'}: ${data.run} (gavel report)`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body><main>
${headline(data)}
${sections}
</main></body>
</html>
`.text;
}
