import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../src/cli/exit.ts';
import { program } from '../src/cli.ts';
import { Spec } from '../src/contracts/spec/spec.ts';
import { specPage } from '../tools/spec-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/README.md', 'models/README.md'],
  ...['temporal-config/README.md', 'bench/faults.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Paths that stand for files that the reader makes. */
const SAMPLES = new Set(['temporal-config/temporal/.env', 'FILE.ts']);

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

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
const folders = new Set(tracked.filter((path) => path.includes('/')).map((path) => path.split('/')[0]));
/** Code blocks, those of list items too. */
const FENCED = /^ *```[\s\S]*?^ *```/gm;
const isThere = (path: string) => existsSync(join(root, path));

/** What a page quotes: spans in backticks, and the lines of its code blocks. */
function quoted(page: string): string[] {
  const [text, blocks]: [string, string[]] = [read(page).replace(FENCED, ''), []];
  for (const [, block] of read(page).matchAll(/^ *```\w*\n([\s\S]*?)^ *```/gm))
    blocks.push(...(block as string).replaceAll('\\\n', ' ').split('\n'));
  return [...[...text.matchAll(/`([^`]+)`/g)].map(([, span]) => (span as string).replaceAll('\n', ' ')), ...blocks];
}

/** Words that can only be paths of this repository: they start with one of its folders, or are a source file's bare name. */
function pathsIn(text: string): string[] {
  const words = text.split(/[\s,:;()]+/).filter((word) => /^[\w.@-]+(\/[\w.@-]+)*\/?$/.test(word));
  return words.filter((word) =>
    word.includes('/') ? folders.has(word.split('/')[0]) : /^\w.*\.(ts|mjs|py|sh)$/.test(word),
  );
}

/** Whether the repository has it, from its root or from the folder of the page; a bare name may be anywhere. */
const isOurs = (path: string, page: string) =>
  isThere(path) || isThere(join(dirname(page), path)) || tracked.some((file) => file.endsWith(`/${path}`));

it.each(pages)('%s names no path that the repository does not have', (page) => {
  expect(
    quoted(page)
      .flatMap(pathsIn)
      .filter((path) => !isOurs(path, page) && !SAMPLES.has(path)),
  ).toEqual([]);
});

it.each(pages)('%s calls gavel and npm only with commands and options that they have', async (page) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const wrong: string[] = [];
  for (const line of quoted(page)) {
    for (const [call, script] of line.matchAll(/npm run ([\w:-]+)/g)) if (!scripts[script as string]) wrong.push(call);
    for (const [call, name, rest] of line.matchAll(/(?<![\w./@-]|-n )gavel ([a-z]+)((?: (?![|#]|-- )[^\s)]+)*)/g)) {
      const parent = (await program(name)).commands.find((each) => each.name() === name);
      const [sub] = /(?<=^ )[a-z]+/.exec(rest as string) ?? [];
      const command = parent?.commands.find((each) => each.name() === sub) ?? parent;
      if (!command) wrong.push(call);
      for (const [option] of (rest as string).matchAll(/--[\w-]+/g))
        if (command && !command.options.some(({ long }) => long === option)) wrong.push(`gavel ${name} ${option}`);
    }
  }
  expect(wrong).toEqual([]);
});

it.each(pages.filter((page) => page !== 'bench/faults.md'))('%s wraps its prose at 100 columns', (page) => {
  const prose = read(page).replace(FENCED, '');
  // A table's row, and a link or an image that alone is longer, cannot wrap.
  const long = prose.split('\n').filter((line) => [...line].length > 100 && !/^\||^!?\[[^\]]*\]\(\S+\)$/.test(line));
  expect(long).toEqual([]);
});

describe('the house in CONTRIBUTING.md', () => {
  const [, house = ''] = /## The house\n+```\n([\s\S]*?)```/.exec(read('CONTRIBUTING.md')) ?? [];
  const rows = house
    .trim()
    .split('\n')
    .map((line) => /^([^\s,]+(?:, [^\s,]+)*) +(.*)$/.exec(line) as RegExpExecArray);

  it('lists every top-level folder of the code and every folder of src/', () => {
    const listed = rows.flatMap(([, names = '']) => names.split(', ')).map((name) => name.replace(/\/.*/, ''));
    const code = [...folders].filter((folder) => !folder?.startsWith('.') && folder !== 'docs');
    expect(code.filter((folder) => !listed.includes(folder as string))).toEqual([]);
    const inSrc = readdirSync(join(root, 'src'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(inSrc.map(({ name }) => name).filter((name) => !house.includes(`${name}/ `))).toEqual([]);
  });

  it('names files and folders that are there', () => {
    for (const [, names = '', what = ''] of rows) {
      const [first = '', ...others] = names.split(', ');
      const folder = join(dirname(first), others.find((name) => name.endsWith('/')) ?? basename(first));
      expect(isThere(first), first).toBe(true);
      const inside = [...others, ...(what.match(/(?<=^|[\s,])[\w-]+\/(?=[\s,;:]|$)/g) ?? [])];
      for (const name of inside)
        expect(isThere(join(folder, name)) || isThere(join(dirname(first), name)), `${folder} ${name}`).toBe(true);
    }
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

  it('gives a spec in which only the files of its reader are missing', async () => {
    const { parse } = await import('yaml');
    const { checkSpec } = await import('../src/contracts/spec/check.ts');
    const yaml = /```yaml\n(run: .*?)```/s.exec(read('README.md'))?.[1] ?? '';
    expect(checkSpec(parse(yaml))).toMatchObject({ problems: [] });
  });
});
