import type { Audit, MeasureInfo } from '../../contracts/audit.ts';
import { plain } from '../audit-records.ts';
import { type Html, html } from '../html.ts';
import { measureId } from '../part/measure-table.ts';
import { glossary, type Word, wordId, wordsOfRuns } from '../words.ts';
import { section } from './section.ts';

/** The measures in the audit's own words, and the words of this report. */
export function words(audit: Audit | null, isRun: boolean): Html {
  const names = (Object.keys(glossary) as Word[]).filter((name) => isRun || !wordsOfRuns.has(name));
  const measures = audit?.measures ?? [];
  return section(
    'words',
    'What do the words mean?',
    html`<dl class="glossary">${names.map((name) => entry(wordId(name), plain(name), glossary[name]))}</dl>`,
    measures.length > 0 && html`<h3>What each figure is</h3><dl class="glossary">${measures.map(measureEntry)}</dl>`,
  );
}

const entry = (id: string, name: string, meaning: string) =>
  html`<div id="${id}"><dt>${name}</dt><dd>${meaning}</dd></div>`;

const measureEntry = (measure: MeasureInfo) =>
  entry(measureId(measure), `${measure.label} (${plain(measure.part)})`, measure.meaning);
