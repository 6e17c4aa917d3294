/**
 * Writes the JSON Schema of every contract to `schema/`, from it the Python models, and the page docs/spec.md.
 * Run by `npm run contracts`; with --check it writes nothing and exits 1 where a committed file is stale.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import * as alarm from '../src/contracts/alarm.ts';
import * as audit from '../src/contracts/audit.ts';
import * as auditPlan from '../src/contracts/audit-plan.ts';
import * as exporting from '../src/contracts/export.ts';
import * as externalAudit from '../src/contracts/external-audit.ts';
import * as fit from '../src/contracts/fit.ts';
import * as interruption from '../src/contracts/interruption.ts';
import * as journal from '../src/contracts/journal.ts';
import * as messages from '../src/contracts/messages.ts';
import * as mode from '../src/contracts/mode.ts';
import * as rubric from '../src/contracts/rubric.ts';
import * as auditSection from '../src/contracts/spec/audit.ts';
import * as baseSection from '../src/contracts/spec/base.ts';
import * as graderSection from '../src/contracts/spec/grader.ts';
import * as grpoSection from '../src/contracts/spec/grpo.ts';
import * as judgeSection from '../src/contracts/spec/judge.ts';
import * as limitsSection from '../src/contracts/spec/limits.ts';
import * as loraSection from '../src/contracts/spec/lora.ts';
import * as placementSection from '../src/contracts/spec/placement.ts';
import * as policySection from '../src/contracts/spec/policy.ts';
import * as runName from '../src/contracts/spec/run-name.ts';
import * as samplingSection from '../src/contracts/spec/sampling.ts';
import * as serveSection from '../src/contracts/spec/serve.ts';
import * as sftSection from '../src/contracts/spec/sft.ts';
import * as wholeSpec from '../src/contracts/spec/spec.ts';
import * as taskSection from '../src/contracts/spec/task.ts';
import * as stage from '../src/contracts/stage.ts';
import * as status from '../src/contracts/status.ts';
import * as tokenCount from '../src/contracts/token-count.ts';
import * as trace from '../src/contracts/trace.ts';
import * as verdict from '../src/contracts/verdict.ts';
import * as verify from '../src/contracts/verify.ts';
import { schemaNames } from './schema-names.ts';
import { specPage } from './spec-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const python = join(root, '.venv/bin');
const target = {
  schema: 'src/contracts/schema/contracts.json',
  models: 'python/gavel_train/contracts.py',
  page: 'docs/spec.md',
};

/** The modules whose exported schemas Python reads or writes; each exported schema keeps its own name there. */
const modules = [
  rubric,
  messages,
  exporting,
  mode,
  auditSection,
  baseSection,
  graderSection,
  grpoSection,
  judgeSection,
  limitsSection,
  loraSection,
  placementSection,
  policySection,
  runName,
  samplingSection,
  serveSection,
  sftSection,
  wholeSpec,
  taskSection,
  verdict,
  tokenCount,
  trace,
  alarm,
  interruption,
  journal,
  stage,
  status,
  audit,
  externalAudit,
  auditPlan,
  fit,
  verify,
];

function jsonSchema(): string {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of schemaNames(modules)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => `#/$defs/${id}`,
    io: 'output',
    // zod leaves out the default of a nested object that is filled in field by field.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema instanceof z.ZodPrefault) jsonSchema.default = zodSchema.def.defaultValue;
    },
  });
  for (const schema of Object.values(schemas)) {
    delete schema.$schema;
    delete schema.$id;
  }
  const flat = Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, flattenNullable(schema)]));
  const document = { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Contracts', $defs: flat };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Drops the bounds of a safe integer, which are no bounds, and turns anyOf [{type: T, ...bounds}, {type: null}] into {type: [T, null], ...bounds}; else each becomes a wrapper class in Python. */
function flattenNullable(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(flattenNullable);
  if (node === null || typeof node !== 'object') return node;
  const { anyOf, ...rest } = Object.fromEntries(
    Object.entries(node)
      .filter(([, value]) => Math.abs(value as number) !== Number.MAX_SAFE_INTEGER)
      .map(([key, value]) => [key, flattenNullable(value)]),
  );
  if (!Array.isArray(anyOf)) return anyOf === undefined ? rest : { ...rest, anyOf };
  const [value, none] = anyOf;
  const plain = anyOf.length === 2 && none.type === 'null' && typeof value.type === 'string' && !('enum' in value);
  return plain ? { ...value, ...rest, type: [value.type, 'null'] } : { ...rest, anyOf };
}

/** Drops the bounds of list items and of map values, which zod holds: in Python each would become a wrapper class around one number. */
function withoutItemBounds(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutItemBounds);
  if (node === null || typeof node !== 'object') return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      if ((key !== 'items' && key !== 'additionalProperties') || typeof value !== 'object') {
        return [key, withoutItemBounds(value)];
      }
      const { minimum, maximum, minItems, maxItems, minLength, pattern, ...rest } = value as Record<string, unknown>;
      return [key, withoutItemBounds(rest)];
    }),
  );
}

function pythonModels(schema: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-contracts-'));
  try {
    writeFileSync(join(folder, 'contracts.json'), JSON.stringify(withoutItemBounds(JSON.parse(schema))));
    execFileSync(join(python, 'datamodel-codegen'), [
      ...['--input', join(folder, 'contracts.json'), '--input-file-type', 'jsonschema'],
      ...['--output', join(folder, 'contracts.py'), '--output-model-type', 'pydantic_v2.BaseModel'],
      ...[
        '--target-python-version',
        '3.11',
        '--enum-field-as-literal',
        'all',
        '--use-annotated',
        '--disable-timestamp',
      ],
      // A field that every written file has may still be left out by the code that makes one.
      ...['--use-default', '--strict-nullable'],
      ...['--use-standard-collections', '--use-union-operator', '--collapse-root-models', '--use-schema-description'],
      ...[
        '--formatters',
        'builtin',
        '--custom-file-header',
        '# Generated from src/contracts by `npm run contracts`; do not edit.',
      ],
    ]);
    execFileSync(join(python, 'ruff'), [
      'format',
      '-q',
      '--config',
      join(root, 'python/pyproject.toml'),
      join(folder, 'contracts.py'),
    ]);
    return readFileSync(join(folder, 'contracts.py'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const schema = jsonSchema();
const files = { [target.schema]: schema, [target.models]: pythonModels(schema), [target.page]: specPage() };
const stale: string[] = [];
for (const [path, text] of Object.entries(files)) {
  const absolute = join(root, path);
  if (process.argv.includes('--check')) {
    let current = '';
    try {
      current = readFileSync(absolute, 'utf8');
    } catch {}
    if (current !== text) stale.push(path);
  } else {
    mkdirSync(dirname(absolute), { recursive: true });
    writeFileSync(absolute, text);
  }
}
if (stale.length > 0) {
  console.error(
    `Expected generated files to match src/contracts, got stale: ${stale.join(', ')}. Run \`npm run contracts\`.`,
  );
  process.exitCode = 1;
}
