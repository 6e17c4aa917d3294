import { stringify } from 'yaml';
import { type Html, html } from '../html.ts';
import type { ReportData } from '../read-run.ts';
import { clock, count, glossary, type Word, wordId } from '../words.ts';
import { notMeasured, section } from './section.ts';

export function reproduce({ spec, spec_digest, audit }: ReportData): Html {
  const question = 'How is this made again?';
  if (spec === null) return section('reproduce', question, notMeasured('spec.json is missing or unreadable.'));
  return section(
    'reproduce',
    question,
    html`<p>Save the spec below as <code>spec.yaml</code>, give it another <code>run</code> name, and start it:</p>
<pre><code>npx gavel run spec.yaml --watch</code></pre>
<details><summary>The spec of this run${spec_digest && html` (digest <code>${spec_digest.slice(0, 12)}</code>)`}</summary><pre><code>${stringify(spec)}</code></pre></details>
${audit && html`<p class="note">Audited ${clock(audit.created_at)}. Intervals are ${audit.confidence * 100}%: ${audit.interval_method || `${count(audit.bootstrap_samples)} bootstrap samples that resample whole problems, not answers`}. The figures behind this page are in <code>audit.json</code> and <code>metrics.jsonl</code> beside it.</p>`}`,
  );
}

export function words(): Html {
  const entries = (Object.keys(glossary) as Word[]).map(
    (name) => html`<div id="${wordId(name)}"><dt>${name.replaceAll('_', ' ')}</dt><dd>${glossary[name]}</dd></div>`,
  );
  return section('words', 'What do the words mean?', html`<dl class="glossary">${entries}</dl>`);
}
