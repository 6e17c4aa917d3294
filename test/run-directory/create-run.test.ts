import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRun, readSpec, specDigest } from '../../src/run-directory/create-run.ts';
import { InvalidRunName, resolveUnder, runPaths } from '../../src/run-directory/paths.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { aSpec, owner } from './a-run.ts';

test('makes the whole folder with the spec and its owner', async () => {
  const root = temporaryFolder('test');
  const { paths, created, spec_digest } = await createRun(root, aSpec(), owner);
  expect(created).toBe(true);
  expect(await readSpec(paths)).toEqual(aSpec());
  expect(JSON.parse(await readFile(paths.run_json, 'utf8'))).toEqual({
    namespace: 'default',
    namespace_id: 'id of default',
    workflow_id: 'gavel/first',
    first_run_id: 'a-run-id',
    spec_digest,
  });
  expect(await readdir(join(root, 'runs'))).toEqual(['first']);
  expect((await readdir(paths.dir)).sort()).toEqual(
    [
      'audit',
      'data',
      'endpoints',
      'grpo',
      'logs',
      'quarantine',
      'report',
      'run.json',
      'sft',
      'spec.json',
      'traces',
    ].sort(),
  );
});

test("changes nothing when the same owner's activity is retried", async () => {
  const root = temporaryFolder('test');
  const { paths } = await createRun(root, aSpec(), owner);
  await writeFile(paths.data.train, 'kept');
  expect(await createRun(root, aSpec(), owner)).toMatchObject({ created: false });
  expect(await readFile(paths.data.train, 'utf8')).toBe('kept');
});

test('refuses a run that exists, naming its path and both ways out', async () => {
  const root = temporaryFolder('test');
  const { paths } = await createRun(root, aSpec(), owner);
  const again = createRun(root, aSpec(), { ...owner, run_id: 'another' });
  await expect(again).rejects.toThrow(expect.objectContaining({ name: 'RunExists' }));
  await expect(again).rejects.toThrow(
    `${paths.dir}. Take another name with --run NAME, or go on with it: gavel run runs/first/spec.json --resume`,
  );
});

test('one of ten who race for a name gets it', async () => {
  const root = temporaryFolder('test');
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, n) => createRun(root, aSpec(), { ...owner, run_id: `${n}` })),
  );
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results) if (result.status === 'rejected') expect(result.reason.name).toBe('RunExists');
  expect(await readdir(join(root, 'runs'))).toEqual(['first']);
});

test('resumes a run for another owner only with the same spec', async () => {
  const root = temporaryFolder('test');
  await createRun(root, aSpec(), owner);
  const other = { ...owner, run_id: 'another' };
  expect(await createRun(root, aSpec(), other, { resume: true })).toMatchObject({ created: false });
  await expect(createRun(root, aSpec('first', 7), other, { resume: true })).rejects.toThrow(
    expect.objectContaining({ name: 'SpecChanged' }),
  );
});

test.each(['../x', 'a/b', '/etc', '..', '', 'Upper', `${'x'.repeat(64)}`])('refuses the run name %j', async (run) => {
  const root = temporaryFolder('test');
  await expect(createRun(root, { ...aSpec(), run }, owner)).rejects.toThrow(InvalidRunName);
  expect(await readdir(root)).toEqual([]);
});

test('leaves nothing behind when the run folder cannot be written', async () => {
  const root = temporaryFolder('test');
  const runs = join(root, 'runs');
  await writeFile(runs, 'a file in the way');
  await expect(createRun(root, aSpec(), owner)).rejects.toThrow(/Expected .*runs to be a folder .* got EEXIST/);
  expect(await readFile(runs, 'utf8')).toBe('a file in the way');
  expect(await readdir(root)).toEqual(['runs']);
});

test.skipIf(process.getuid?.() === 0)('refuses a folder whose mode forbids writing', async () => {
  const root = temporaryFolder('test');
  await mkdir(join(root, 'runs'), { mode: 0o555 });
  await expect(createRun(root, aSpec(), owner)).rejects.toThrow(
    expect.objectContaining({ name: 'RunDirectoryUnwritable' }),
  );
  await chmod(join(root, 'runs'), 0o755);
  expect(await readdir(join(root, 'runs'))).toEqual([]);
});

test('refuses a filesystem on which nothing can be made', async () => {
  const root = temporaryFolder('test');
  // Nothing can be made in /proc, not even by root.
  const linked = join(root, 'linked');
  await mkdir(linked);
  await symlink('/proc/self', join(linked, 'runs'));
  await expect(createRun(linked, aSpec(), owner)).rejects.toThrow(
    expect.objectContaining({ name: 'RunDirectoryUnwritable' }),
  );
});

test('leaves a run alone that a workflow of another namespace still works on, whatever resumes it', async () => {
  const root = temporaryFolder('test');
  const { paths } = await createRun(root, aSpec(), owner);
  const other = { ...owner, namespace: 'team', namespace_id: 'id of team', run_id: 'another' };
  const asked: string[] = [];
  const stillRuns = async ({ namespace }: { namespace: string }) => asked.push(namespace) > 0;
  const resumed = createRun(root, aSpec(), other, { resume: true, stillRuns });
  await expect(resumed).rejects.toThrow('still goes on: workflow gavel/first in the namespace default');
  expect(asked).toEqual(['default']);
  await createRun(root, aSpec(), other, { resume: true });
  expect(JSON.parse(await readFile(paths.run_json, 'utf8'))).toMatchObject({ namespace: 'team' });
  // The first one is the stranger now.
  await expect(createRun(root, aSpec(), owner, { resume: true, stillRuns })).rejects.toThrow('in the namespace team');
});

test('never touches a folder that is no run', async () => {
  const root = temporaryFolder('test');
  const { dir } = runPaths(root, 'first');
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'thesis.txt'), 'mine');
  await expect(createRun(root, aSpec(), owner)).rejects.toThrow(/something that is no run/);
  expect(await readdir(dir)).toEqual(['thesis.txt']);
});

test('goes on with a run that was made before fields were added to specs', async () => {
  const root = temporaryFolder('test');
  const { paths } = await createRun(root, aSpec(), owner);
  const stored = JSON.parse(await readFile(paths.spec, 'utf8'));
  delete stored.grpo.sharding;
  delete stored.grpo.normalise;
  delete stored.sft.targets;
  delete stored.sft.contradicted;
  delete stored.sft.contradicted_weight;
  delete stored.task.evaluate_on;
  delete stored.task.unlabelled_fraction;
  const spec_digest = specDigest(stored);
  await writeFile(paths.spec, JSON.stringify(stored));
  const own = JSON.parse(await readFile(paths.run_json, 'utf8'));
  await writeFile(paths.run_json, JSON.stringify({ ...own, spec_digest }));
  const { grpo, sft } = await readSpec(paths, spec_digest);
  expect(grpo).toMatchObject({ sharding: 'ddp', normalise: 'together' });
  expect(sft).toMatchObject({ targets: 'score', contradicted: 'keep', contradicted_weight: 0.25 });
  const again = { created: false, spec_digest };
  expect(await createRun(root, aSpec(), owner)).toMatchObject(again);
  const other = { ...owner, run_id: 'another' };
  expect(await createRun(root, aSpec(), other, { resume: true })).toMatchObject(again);
  expect(JSON.parse(await readFile(paths.run_json, 'utf8'))).toMatchObject({ first_run_id: 'another', spec_digest });
  await expect(createRun(root, aSpec('first', 1), other, { resume: true })).rejects.toThrow(
    "A run's spec never changes",
  );
});

test('equal specs have equal digests, whatever the order of their keys', () => {
  const spec = aSpec();
  const turned = Object.fromEntries(Object.entries(spec).reverse()) as typeof spec;
  expect(specDigest(turned)).toBe(specDigest(spec));
  expect(specDigest(aSpec('first', 1))).not.toBe(specDigest(spec));
});

test('paths of the spec resolve under the root unless they are absolute', () => {
  expect(resolveUnder('/a-root', 'models/judge')).toBe('/a-root/models/judge');
  expect(resolveUnder('/root', '/data/x')).toBe('/data/x');
});
