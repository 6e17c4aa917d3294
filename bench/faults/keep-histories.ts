/**
 * `node bench/faults/keep-histories.ts SEED_FOLDER... TARGET`: puts recorded histories where the replay test reads them, in place of those of the
 * same runs, without the paths of the machine that they were recorded on.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const given = process.argv.slice(2).map((path) => resolve(path));
const target = given.pop();
if (target === undefined || given.length === 0) {
  console.error('usage: node bench/faults/keep-histories.ts SEED_FOLDER... TARGET');
  process.exit(2);
}

/** Payloads are base64 of JSON: paths are in there too. */
function clean(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value);
  if (Array.isArray(value)) return value.map((each) => clean(each, replace));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'stackTrace');
  return Object.fromEntries(
    entries.map(([key, inner]) => {
      if (key !== 'data' || typeof inner !== 'string') return [key, clean(inner, replace)];
      const text = Buffer.from(inner, 'base64').toString('utf8');
      return [key, Buffer.from(replace(text)).toString('base64')];
    }),
  );
}

/** `gavel/RUN/...` and the execution are in the name of its file. */
const runOf = (name: string) => /^gavel%2F([\w-]+)/.exec(name)?.[1];

for (const folder of given) {
  const replace = (text: string) =>
    text.replaceAll(join(folder, 'root'), '/gavel-root').replace(/\/[^\s"',:;)]*\/tree-[\w-]+/g, '/gavel');
  const histories = join(folder, 'histories');
  const runs = new Set(readdirSync(histories).map(runOf));
  for (const name of readdirSync(target))
    if (name.endsWith('.json') && runs.has(runOf(name))) rmSync(join(target, name));
  for (const name of readdirSync(histories).filter((each) => each.endsWith('.json'))) {
    const history = clean(JSON.parse(readFileSync(join(histories, name), 'utf8')), replace);
    writeFileSync(join(target, name), `${JSON.stringify(history)}\n`);
  }
}
