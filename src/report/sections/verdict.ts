import type { Audit } from '../../contracts/audit.ts';
import { count } from '../figures.ts';
import { Html, html, type Part } from '../html.ts';

const meaning = {
  PASS: 'By the gates that were set, the grader may be used in the judge’s place: it clears each of them, even at the cautious end of its interval.',
  FAIL: 'Do not use this grader in the judge’s place: at least one gate is missed. The whole interval of a record lies on the wrong side of its bound.',
  INCONCLUSIVE:
    'This audit does not settle whether the grader may be used in the judge’s place: no gate is missed, and at least one is undecided.',
};

const ungated = 'No gates were set, so nothing was decided about the grader; the figures below stand by themselves.';

const besides = 'Every gate is cleared, and none is about the grader, so nothing was decided about it.';

const mark = { PASS: '✓', FAIL: '✗', INCONCLUSIVE: '?' };

export function verdict(audit: Audit): Html {
  const cleared = audit.gates.filter((gate) => gate.verdict === 'PASS').length;
  const gates = `${count(cleared)} of ${count(audit.gates.length)} gates cleared.`;
  return verdictBox(
    audit.verdict.toLowerCase(),
    html`<span class="mark" aria-hidden="true">${mark[audit.verdict]}</span> ${audit.verdict}`,
    html`${said(audit, cleared)} <a href="#gates">${gates}</a>`,
  );
}

function said({ verdict, gates }: Audit, cleared: number): string {
  if (gates.length === 0) return ungated;
  return verdict === 'INCONCLUSIVE' && cleared === gates.length ? besides : meaning[verdict];
}

export function noVerdict(why: string, stages: number): Html {
  return verdictBox(
    'none',
    new Html('<span class="mark" aria-hidden="true">–</span> NO VERDICT'),
    `${why}, so nothing can be said about the grader. ${count(stages)} of 3 stages are done; what they left is shown below.`,
  );
}

function verdictBox(style: string, title: Html, text: Part): Html {
  return html`<div class="verdict ${style}"><h1>${title}</h1><p>${text}</p></div>`;
}
