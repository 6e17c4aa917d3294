import { expect, it } from 'vitest';
import { AuditRecords, askedName } from '../../src/report/audit-records.ts';
import { audit, record } from './audit-fixture.ts';

const records = new AuditRecords(audit);

it('finds a record by its id and slice, in which headline stands for the headline mode', () => {
  expect(records.find('fidelity.grader.headline.exact')?.point).toBe(0.783);
  expect(records.find('fidelity.grader.headline.quadratic_weighted_kappa', 'checkpoint=step-000000')?.n).toBe(220);
  expect(records.find('fidelity.grader.headline.exact', 'checkpoint=step-000000')).toBeNull();
});

it('orders contestants as a reader looks for them: headline, other modes, judge, others, base, what is computed', () => {
  const roles = ['always_pass.constant', 'base.single_token', 'annotator_1.file', 'judge.reasoned', 'grader.reasoned'];
  const measured = [...roles, 'grader.single_token'].map((asked) => record(`truth.${asked}.accuracy`, 0.5));
  const names = new AuditRecords({ ...audit, records: measured }).asked('truth').map(askedName);
  expect(names).toEqual([
    ...['grader, single token', 'grader, reasoned', 'judge, reasoned', 'annotator 1'],
    ...['base, single token', 'always pass'],
  ]);
});

it('describes a measure and a part that the audit has records of and no description', () => {
  const unknown = new AuditRecords({ ...audit, records: [record('mood.grader.single_token.calm_share', 0.5)] });
  expect(unknown.parts().at(-1)).toEqual({ part: 'mood', question: 'mood', meaning: '', needs: '' });
  expect(unknown.measures('mood')).toMatchObject([{ label: 'calm share', unit: 'score' }]);
});
