import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkRubric } from '../../../src/cli/rubric/check.ts';
import { checkText } from '../../../src/cli/rubric/print-check.ts';
import { loadConfig } from '../../../src/config.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/rubrics.md', import.meta.url)), 'utf8');
const block = (kind: string) => new RegExp(`\`\`\`${kind}\n([\\s\\S]*?)\n\`\`\``).exec(page)?.[1] ?? '';

test('docs/rubrics.md shows what the command prints of its rubric', async () => {
  const folder = temporaryFolder('docs');
  writeFileSync(join(folder, 'polite-refund.yaml'), block('yaml'));
  const prompt = 'I bought the lamp in March and do not like it any more. Can I return it?';
  writeFileSync(join(folder, 'rows.jsonl'), JSON.stringify({ prompt, completion: 'Sure, no problem at all!' }));
  const row = join(folder, 'rows.jsonl');
  const check = await checkRubric(loadConfig(), join(folder, 'polite-refund.yaml'), { mode: ['choice'], row });
  expect(block('text')).toBe(checkText(check).replaceAll(`${folder}/`, ''));
});
