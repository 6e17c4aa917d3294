import type { Audit } from '../../contracts/audit.ts';
import { Html, html, type Part } from '../html.ts';
import type { ReportData } from '../read-run.ts';
import { count, fixed, interval, percent, points, word } from '../words.ts';

const meaning = {
  PASS: 'The grader can stand in for the judge on this task: every gate is cleared, even at the cautious end of its interval.',
  FAIL: 'Do not let this grader stand in for the judge: at least one gate is missed by more than chance explains.',
  INCONCLUSIVE:
    'These rows cannot settle whether the grader can stand in for the judge: at least one gate lies within the uncertainty. More audit rows would narrow it.',
};

const ungated = 'No gates were set, so nothing was decided about the grader; the figures below stand by themselves.';

const mark = { PASS: '✓', FAIL: '✗', INCONCLUSIVE: '?' };

export function headline({ run, audit, failure, stages, overrides }: ReportData): Html {
  return html`<header><p class="kicker">gavel run report · ${run}</p>
${audit ? verdict(audit) : noVerdict(failure, stages.length)}
${failure && html`<p class="failure"><strong>The run failed:</strong> ${failure}</p>`}
${overrides.map(served)}
${audit && tiles(audit)}</header>`;
}

const served = ({ at, node, reason }: ReportData['overrides'][number]) =>
  html`<p class="failure"><strong>Served with --override-audit</strong> at ${at} on ${node}: ${reason}.</p>`;

function verdict(audit: Audit): Html {
  const missed = audit.gates.filter((gate) => gate.verdict !== 'PASS').length;
  const cleared = `${audit.gates.length - missed} of ${audit.gates.length} gates cleared.`;
  return html`<div class="verdict ${audit.verdict.toLowerCase()}"><h1><span class="mark" aria-hidden="true">${mark[audit.verdict]}</span> ${audit.verdict}</h1>
<p>${audit.gates.length === 0 ? ungated : meaning[audit.verdict]} <a href="#gates">${cleared}</a></p></div>
<p>${story(audit)}</p>`;
}

const answers = (audit: Audit) => `${count(audit.rows)} answers to ${count(audit.prompts)} problems`;

const story = (audit: Audit) =>
  html`A ${word('judge')} graded answers while a ${word('policy')} was trained on its scores; a ${word('grader')} then learned from these verdicts to grade as the judge does. The grader was checked on ${answers(audit)}, none of which occurs in the verdicts that it learned from. What the models had seen before this run is not known here.`;

function noVerdict(failure: string | null, stages: number): Html {
  const why = failure ? 'The run ended before its audit' : 'The audit has not been made yet';
  return html`<div class="verdict none"><h1><span class="mark" aria-hidden="true">–</span> NO VERDICT</h1>
<p>${why}, so nothing can be said about the grader. ${count(stages)} of 3 stages are done; what they left is shown below.</p></div>`;
}

function tiles(audit: Audit): Html {
  const { policy, fidelity, truth, speed } = audit;
  const kappa = fidelity?.quadratic_weighted_kappa;
  const balanced = truth?.grader.balanced_accuracy;
  const judge = truth?.judge?.balanced_accuracy.point;
  return html`<dl class="tiles">
${tile(
  'Policy learned',
  policy.gain?.point == null ? null : points(policy.gain.point).replace(' points', ''),
  policy.gain && `interval ${interval(policy.gain, 'points')}`,
  'points more right answers to new problems',
)}
${tile('Agrees with the judge', kappa?.point == null ? null : fixed(kappa.point, 2), kappa && `interval ${interval(kappa, 'kappa')}`, word('quadratic weighted kappa', 'kappa, 1 is perfect'))}
${tile('Tracks the truth', balanced?.point == null ? null : percent(balanced.point), judge == null ? null : `the judge: ${percent(judge)}`, word('balanced accuracy'))}
${tile('Faster than the judge', speed.grader_over_judge === null ? null : `${fixed(speed.grader_over_judge, 1)}×`, speed.same_mode === null ? null : `${fixed(speed.same_mode, 1)}× in the same mode`, 'verdicts per second')}
</dl>`;
}

function tile(name: string, value: string | null, detail: Part, unit: Part): Html {
  return html`<div><dt>${name}</dt><dd><strong${value === null && new Html(' class="absent"')}>${value ?? 'not measured'}</strong><span>${unit}</span>${value && detail && html`<span>${detail}</span>`}</dd></div>`;
}
