import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../src/cli/exit.ts';
import { program } from '../src/cli.ts';
import { Spec } from '../src/contracts/spec/spec.ts';
import { specPage } from '../tools/spec-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/README.md', 'temporal-config/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('docs/spec.md', () => {
  it('is what `npm run contracts` writes', () => {
    expect(read('docs/spec.md')).toBe(specPage());
  });

  it('says of every field what it means', () => {
    expect(read('docs/spec.md').match(/^\|.*\|\s+\|$/gm)).toBeNull();
    for (const part of Object.keys(Spec.shape))
      expect(read('docs/spec.md')).toMatch(new RegExp(`^(## ${part}$|\\| \`${part}\`)`, 'm'));
  });
});

it.each(pages)('%s links to files that are there', (page) => {
  const links = [...read(page).matchAll(/(?<!!)\[[^\]]*\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link as string);
  for (const link of links) expect(existsSync(join(root, dirname(page), link)), `${page} -> ${link}`).toBe(true);
});

describe('README.md', () => {
  it('names every command and every exit code', async () => {
    for (const command of (await program(undefined)).commands)
      expect(read('README.md')).toContain(`gavel ${command.name()}`);
    for (const code of Object.values(EXIT)) expect(read('README.md')).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
  });

  it('gives a spec that only lacks the files of its reader', async () => {
    const { parse } = await import('yaml');
    const { checkSpec } = await import('../src/contracts/spec/check.ts');
    const yaml = /```yaml\n(run: .*?)```/s.exec(read('README.md'))?.[1] ?? '';
    expect(checkSpec(parse(yaml))).toMatchObject({ problems: [] });
  });
});
