import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import type { Audit } from '../../src/contracts/audit.ts';
import { writeAuditReport } from '../../src/report/write-report.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { audit, record, withRecords } from './audit-fixture.ts';

// A report is a dozen drawings; on a busy machine they take seconds.
vi.setConfig({ testTimeout: 60_000 });

async function report(of: Audit, extras: Parameters<typeof writeAuditReport>[2] = {}) {
  const { html } = await writeAuditReport(temporaryFolder('audit-report'), of, extras);
  const text = await readFile(html, 'utf8');
  const plain = text.replaceAll(/<style>.*?<\/style>|<svg.*?<\/svg>|<[^>]*>/gs, ' ').replaceAll(/\s+/g, ' ');
  const sectionOf = (id: string) => new RegExp(`<section id="${id}".*?</section>`, 's').exec(text)?.[0] ?? '';
  return { text, plain, sectionOf };
}

describe('the report of an audit without a run', async () => {
  const { text, plain, sectionOf } = await report(audit, { command: 'gavel audit --data rows.jsonl --out a' });

  it('has a section for each part and none for what only a run has', () => {
    for (const part of ['fidelity', 'truth', 'teacher_wrong', 'coverage', 'speed'])
      expect(text).toContain(`<section id="part-${part}"`);
    expect(text).not.toMatch(/id="(policy|part-policy|interruptions)"/);
    expect(plain).toContain('gavel audit --data rows.jsonl --out a');
  });

  it('puts both modes of the grader side by side, in the table and in the picture', () => {
    const section = sectionOf('part-teacher_wrong');
    expect(section).toMatch(
      /<th scope="col"[^>]*>grader, single token <span class="badge">.*<th scope="col"[^>]*>grader, reasoned</,
    );
    expect(section).toMatch(/<strong>31\.2%<\/strong>.*<strong>55\.7%<\/strong>/);
    expect(section).toMatch(/<desc[^>]*>grader, single token: 31\.2% \(.*?\); grader, reasoned: 55\.7%/);
  });

  it('sets judge and always-pass beside the grader against the truth', () => {
    expect(sectionOf('part-truth')).toMatch(
      /<desc[^>]*>grader, single token: 88\.4%.*grader, reasoned: 95\.5%.*judge, reasoned: 90\.5%.*always pass: 50\.0%/,
    );
  });

  it('says under the verdict what follows for each mode, and how far the verdict reaches', () => {
    const follows = /<div class="follows">.*?<\/div>/s.exec(text)?.[0] ?? '';
    expect(follows).toMatch(/grader, single token.*reproduces the judge closely.*mostly copies errors/s);
    expect(follows).toMatch(/grader, reasoned.*The reasoned grader|grader, reasoned.*follows the truth more often/s);
    expect(follows.replaceAll(/<[^>]*>/g, '')).toContain(
      'The verdict covers fidelity, teacher wrong and coverage. No gate matched a figure of truth or speed: what is',
    );
    expect(plain).toContain('6 rows were left out because their prompts occur in the training traces.');
  });

  it('shows slices of the headline mode and of the judge alone, and says which values have none', () => {
    const section = sectionOf('part-truth');
    expect(section).toMatch(/<details><summary>By checkpoint/);
    expect(section).toContain('step-000090: fewer than 30 prompts');
    expect(/<details>.*<\/details>/s.exec(section)?.[0]).not.toContain('grader, reasoned');
  });

  it('says of a contestant without scores that nothing can be computed', () => {
    expect(plain).toContain('Nothing to measure here: base, single token (n 0).');
    expect(sectionOf('part-fidelity')).toContain('base, single token: not computable (n 0).</desc>');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('gives the table of counts a row for each contestant where each has one row', () => {
    expect(plain).toMatch(/Scores given .* grader, single token 62 38 .* judge, reasoned 62 38/);
  });

  it('has no id twice, and no link to an id that is not there', () => {
    const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((id) => !ids.includes(id))).toEqual([]);
  });
});

it('shows a part and a measure that nobody here has heard of', async () => {
  const calm = { part: 'mood', question: 'Is the grader calm?', meaning: 'Calm graders shout less.', needs: '' };
  const info = {
    part: 'mood',
    name: 'calm',
    label: 'calmness',
    unit: 'share',
    meaning: 'Share of calm verdicts.',
  } as const;
  const found = record('mood.grader.single_token.calm', 0.25, 0.125);
  const gate = {
    id: 'mood.*.*.calm',
    slice: 'all',
    at_least: null,
    at_most: 0.5,
    verdict: 'PASS',
    reason: 'calm',
  } as const;
  const { plain, sectionOf } = await report({
    ...audit,
    parts: [...audit.parts, calm],
    measures: [...audit.measures, { ...info, chance: 0.1, chart: true }],
    records: [...audit.records, found],
    findings: [...audit.findings, { id: found.id, text: 'The grader is calm.' }],
    gates: [{ ...gate, matches: [{ record: found, verdict: 'PASS', reason: 'calm enough', rows_needed: null }] }],
  });
  expect(sectionOf('part-mood')).toContain('<desc id');
  expect(plain).toContain('Is the grader calm? Calm graders shout less. The grader is calm.');
  expect(plain).toContain('calmness 25.0% 12.5% to 37.5% n 660');
  expect(plain).toMatch(/calmness ≤ 50\.0% grader, single token PASS 25\.0%/);
  expect(plain).toContain('calmness (mood) Share of calm verdicts.');
});

it('names shares that are 0 for everybody in one line, and says why a figure could not be computed', async () => {
  const refused = 'coverage.grader.single_token.refused';
  const auroc = { ...record('truth.grader.single_token.auroc', null, 0, 40), method: 'all these answers are right' };
  const { plain } = await report({
    ...audit,
    measures: [
      ...audit.measures,
      { ...(audit.measures[1] as Audit['measures'][number]), part: 'coverage', name: 'refused', label: 'turned down' },
    ],
    records: [...audit.records, record(refused, 0, 0.01), auroc],
  });
  expect(plain).toContain('0% for everybody: turned down.');
  expect(plain).toMatch(/auroc not computable all these answers are right n 40/);
});

it('says of later looks that they widen the intervals', async () => {
  const look = { ...audit.look, number: 3 };
  const { plain } = await report({ ...audit, look, confidence: 0.9944 });
  expect(plain).toMatch(
    /This is look number 3 at these prompts\. Every interval is therefore at 99\.44% instead of 95%/,
  );
});

it('says what is lacking where a part has no record', async () => {
  const bare = withRecords((one) => (one.id.startsWith('truth.') ? null : one));
  const { plain } = await report({ ...bare, truth_labels: {}, tables: [] });
  expect(plain).toMatch(/Not measured: truth \./);
  expect(plain).toContain('Not measured: it needs what truth needs.');
});

it('says of a gate without a match, and of one with many, what was found', async () => {
  const [first] = audit.gates;
  const of = (verdict: 'PASS' | 'FAIL', at: number) => ({
    ...{ record: record('fidelity.grader.single_token.exact', 0.5, 0.1, 90, `kind=${at}`), verdict },
    ...{ reason: `reason ${at}`, rows_needed: null },
  });
  const many = Array.from({ length: 60 }, (_, at) => of(at === 59 ? 'FAIL' : 'PASS', at));
  const gates = [
    { ...first, id: 'people.*.*.kappa', matches: [], verdict: 'INCONCLUSIVE', reason: 'no record has this id' },
    { ...first, id: 'fidelity.grader.*.exact', slice: 'kind=*', matches: many, verdict: 'FAIL' },
  ] as Audit['gates'];
  const { plain } = await report({ ...audit, gates, verdict: 'FAIL', covers: [] });
  expect(plain).toContain('people.*.*.kappa INCONCLUSIVE not measured no record has this id');
  expect(plain).toMatch(/60 matches .*20 are in audit\.json and not shown here\..*kind=59 FAIL.*reason 59/);
  expect(plain).toContain('No cleared gate is about the grader, so the verdict vouches for nothing.');
});

it('says of a part whose gate is missed nothing that contradicts it', async () => {
  const [first, second, third] = audit.gates as [
    Audit['gates'][number],
    Audit['gates'][number],
    Audit['gates'][number],
  ];
  const missed = { ...second, verdict: 'FAIL', matches: second.matches.map((one) => ({ ...one, verdict: 'FAIL' })) };
  const gates = [first, missed, third] as Audit['gates'];
  const { plain } = await report({ ...audit, gates, verdict: 'FAIL', covers: ['fidelity', 'coverage'] });
  expect(plain).toContain('The verdict covers fidelity and coverage . No gate matched a figure of truth or speed :');
  expect(plain).toContain('at least one gate is missed. The whole interval of a record lies on the wrong side of its');
  expect(plain).not.toContain('chance explains');
});

it('says that gates about others than the grader decide nothing about it', async () => {
  const { plain } = await report({ ...audit, verdict: 'INCONCLUSIVE', covers: [] });
  expect(plain).toContain('Every gate is cleared, and none is about the grader, so nothing was decided about it.');
  expect(plain).not.toContain('at least one is undecided');
});

it('shows why a gate is undecided whose only match it clears', async () => {
  const [first] = audit.gates as [Audit['gates'][number]];
  const reason = 'The low bound is at least 0.75. It is also about kind=rare, which is in no slice.';
  const gates: Audit['gates'] = [{ ...first, slice: 'kind=*', verdict: 'INCONCLUSIVE', reason }];
  const { plain } = await report({ ...audit, gates, verdict: 'INCONCLUSIVE', covers: [] });
  expect(plain).toMatch(/\(kind=\*\) INCONCLUSIVE 1 match .*which is in no slice\..* grader, single token PASS/);
});

it('escapes markup that models, labels, rows and files may hold', async () => {
  const hostile = '<img src=x onerror=alert(1)>"\'';
  const { text } = await report({
    ...audit,
    run: hostile,
    contestants: audit.contestants.map((one) => ({ ...one, model: hostile, source: 'file', file: hostile })),
    measures: audit.measures.map((one) => ({ ...one, label: hostile, meaning: hostile })),
    findings: audit.findings.map((one) => ({ ...one, text: hostile })),
    parts: audit.parts.map((one) => ({ ...one, question: hostile, meaning: hostile, needs: hostile })),
    tables: audit.tables.map((one) => ({
      ...one,
      label: hostile,
      row_label: hostile,
      columns: one.columns.map(() => hostile),
    })),
    records: audit.records.map((one) => ({ ...one, slice: one.slice.replace(/=.*/, `=${hostile}`), method: hostile })),
    slices: [{ field: 'checkpoint', values: [{ value: hostile, rows: 220, prompts: 110 }], left_out: hostile }],
    gates: audit.gates.map((one) => ({ ...one, id: hostile, matches: [], reason: hostile })),
    passes: audit.passes.map((one) => ({ ...one, model: hostile })),
  });
  expect(text).not.toContain('<img');
  expect(text).toContain('&lt;img src=x onerror=alert(1)&gt;');
  const attributes = [...text.matchAll(/<[a-z][^<>]*>/g)].map(([tag]) => tag);
  expect(attributes.filter((tag) => /onerror/.test(tag.replaceAll(/"[^"]*"/g, '')))).toEqual([]);
});

it('stays under 5 MB for an audit of 100,000 rows with many measures, contestants and slices', async () => {
  const roles = ['judge', 'grader', 'base', 'other_a', 'other_b'];
  const parts = ['fidelity', 'truth', 'teacher_wrong', 'coverage', 'speed', 'people'];
  const values = Array.from({ length: 60 }, (_, at) => ({
    value: `value ${at} of a field of the rows`,
    rows: 1600,
    prompts: 160,
  }));
  const fields = ['kind', 'checkpoint', 'prompt_length', 'score'];
  const slices = ['all', ...fields.flatMap((field) => values.map(({ value }) => `${field}=${value}`))];
  const measures = parts.flatMap((part) =>
    Array.from({ length: 12 }, (_, at) => ({
      ...{ part, name: `measure_${at}`, label: `measure number ${at}`, unit: 'share' as const },
      ...{ meaning: 'A sentence about it that has the usual length.', chance: 0.5, chart: at < 3 },
    })),
  );
  const records = slices.flatMap((slice) =>
    measures.flatMap(({ part, name }) =>
      roles.map((role) => record(`${part}.${role}.single_token.${name}`, 0.5, 0.01, 100_000, slice)),
    ),
  );
  const large = {
    ...{ ...audit, rows: 100_000, prompts: 10_000, measures, records },
    ...{ parts: parts.map((part) => ({ part, question: part, meaning: part, needs: part })), gates: [], findings: [] },
    slices: fields.map((field) => ({ field, values, left_out: null })),
  };
  expect(records.length).toBeGreaterThan(80_000);
  const { text } = await report(large);
  expect(text).toContain('36 more values are in audit.json and not shown here.');
  expect(text.length).toBeLessThan(5_000_000);
});
