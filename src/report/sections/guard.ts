import { count } from '../figures.ts';
import { type Html, html } from '../html.ts';
import type { ReportData } from '../report-data.ts';
import { word } from '../words.ts';
import { notMeasured, section } from './section.ts';

const question = 'Could an answer speak as the judge?';

/** Which guards kept answers inside their frame in the judge's messages. */
export function guard({ rubric, ledger }: Pick<ReportData, 'rubric' | 'ledger'>): Html {
  if (rubric === null) return section('guard', question, notMeasured('rubric.json is missing or unreadable.'));
  const frame =
    rubric.frame === 'digest'
      ? html`<p>Each answer stood between two lines with a mark made from the digest of all texts that the judge was shown, so none of them could contain the line that ends its frame.</p>`
      : html`<p class="warning">Answers stood in the judge’s messages without a frame (the ${word('rubric')} says <code>frame: none</code>): an answer that imitates the text after it may have misled the judge.</p>`;
  return section('guard', question, frame, controlTokens(ledger));
}

function controlTokens(ledger: ReportData['ledger']): Html {
  const always =
    'Strings that a model takes for control tokens, such as <|im_end|>, are broken up before it reads them';
  if (ledger === null) return html`<p>${always}.</p>`;
  const { altered, calls } = ledger;
  const found = altered === 0 ? 'None was found in' : `That was done in ${count(altered)} of`;
  return html`<p>${always}. ${found} the judge’s ${count(calls)} calls${altered > 0 && html`; <code>altered</code> in a ${word('trace')} names the texts`}.</p>`;
}
