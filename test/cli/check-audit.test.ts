import { mkdir, readFile } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { checkAudit } from '../../src/cli/check-audit.ts';
import { writeAtomic } from '../../src/run-directory/files.ts';
import { runPaths } from '../../src/run-directory/paths.ts';
import { audit } from '../report/audit-fixture.ts';
import { temporaryFolder } from '../temporary-folder.ts';

// The report is a dozen drawings; on a busy machine they take seconds.
vi.setConfig({ testTimeout: 60_000 });

const AUDITED = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

async function audited(change: object = {}) {
  const paths = runPaths(temporaryFolder('test'), 'r');
  await mkdir(paths.report.dir, { recursive: true });
  const passes = audit.passes.map((pass) => ({ ...pass, model_digest: pass.role === 'grader' ? AUDITED : OTHER }));
  await writeAtomic(paths.report.audit, { ...audit, passes, ...change });
  return paths;
}

const serve = { model_digest: AUDITED, node: 'n1', override: false };

test('serves the weights that an audit cleared', async () => {
  await expect(checkAudit(await audited(), serve)).resolves.toBeUndefined();
});

test('refuses other weights than those that were audited, by their digests', async () => {
  const refused = checkAudit(await audited(), { ...serve, model_digest: OTHER });
  await expect(refused).rejects.toThrow(`its audit is of other weights: of ${AUDITED}, and these are ${OTHER}`);
});

test('refuses a grader whose audit does not say which weights it was of', async () => {
  await expect(checkAudit(await audited({ passes: [] }), serve)).rejects.toThrow('of none that it names');
});

test('refuses a grader whose audited verdicts came from a file, which names no weights', async () => {
  const contestants = audit.contestants.map((one) => ({ ...one, source: 'file', file: 'verdicts.jsonl' }));
  await expect(checkAudit(await audited({ contestants }), serve)).rejects.toThrow(
    'verdicts from the file verdicts.jsonl, which names no weights',
  );
});

test.each(['FAIL', 'INCONCLUSIVE'])('refuses a grader whose audit is %s', async (verdict) => {
  await expect(checkAudit(await audited({ verdict }), serve)).rejects.toThrow(`found that its audit is ${verdict}`);
});

test('serves it with --override-audit, and the report of the run says so', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const paths = await audited();
  await checkAudit(paths, { ...serve, model_digest: OTHER, override: true });
  expect(said.mock.calls.flat().join()).toContain('--override-audit');
  said.mockRestore();
  const text = await readFile(paths.report.html, 'utf8');
  expect(text).toMatch(/Served with --override-audit<\/strong> at .* on n1: its audit is of other weights/);
});
