import type { Audit } from '../../contracts/audit.ts';
import { type AuditRecords, plain } from '../audit-records.ts';
import { count, listed } from '../figures.ts';
import { type Html, html, table } from '../html.ts';
import { columnHead } from '../part/measure-table.ts';
import { word } from '../words.ts';
import { section } from './section.ts';

type Contestant = Audit['contestants'][number];

/** Whose verdicts about which rows the audit compares. */
export function audited(records: AuditRecords): Html {
  const { audit } = records;
  const ordered = [...audit.contestants].sort((a, b) => records.rank(a) - records.rank(b));
  return section(
    'audited',
    'Who was audited, on what?',
    html`<p>${rows(audit)}</p>`,
    table(
      'Contestants',
      [
        { head: 'graded by', cell: (one: Contestant) => columnHead(records, one) },
        { head: 'model', cell: ({ model }: Contestant) => model ?? 'not known' },
        {
          head: 'verdicts from',
          cell: ({ source, file }: Contestant) => (source === 'file' ? html`file <code>${file}</code>` : source),
        },
        ...(audit.contestants.some(({ gpus }) => gpus !== null) ? [gpusColumn] : []),
      ],
      ordered,
    ),
    html`<p class="note">Digest of the rows: <code>${audit.look.data_digest.slice(0, 12)}</code>.</p>`,
  );
}

const gpusColumn = { head: 'GPUs', cell: ({ gpus }: Contestant) => gpus ?? 'not known', numeric: true };

function rows({ rows: all, prompts, subject, truth_labels }: Audit): Html {
  const what = subject === 'pairwise' ? 'pairs of answers' : 'answers';
  const labels = Object.entries(truth_labels).map(([label, its]) => `${count(its)} ${plain(label)}`);
  const truth =
    labels.length === 0
      ? 'No ground truth is known of them, so only agreement among the contestants can be measured.'
      : html`Their ${word('ground truth', 'true labels')}: ${listed(labels)}.`;
  return html`${count(all)} ${what} to ${count(prompts)} prompts. ${truth}`;
}
