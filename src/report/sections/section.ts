import { type Html, html, type Part } from '../html.ts';

/** A section answers one question, which is its heading. */
export function section(id: string, question: string, ...body: Part[]): Html {
  return html`<section id="${id}" aria-labelledby="${id}-h"><h2 id="${id}-h">${question}</h2>${body}</section>`;
}

export function notMeasured(why: string): Html {
  return html`<p class="missing"><strong>Not measured:</strong> ${why}</p>`;
}

export const noAudit = 'the run has no audit (report/audit.json is missing).';
