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
import * as audit from '../src/contracts/audit.ts';
import * as rubric from '../src/contracts/rubric.ts';
import * as spec from '../src/contracts/spec/spec.ts';
import * as stage from '../src/contracts/stage.ts';
import * as status from '../src/contracts/status.ts';
import * as trace from '../src/contracts/trace.ts';
import { specPage } from './spec-page.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const python = join(root, '.venv/bin');
const target = {
  schema: 'src/contracts/schema/contracts.json',
  models: 'python/gavel_train/contracts.py',
  page: 'docs/spec.md',
};

const contracts = {
  Spec: spec.Spec,
  Rubric: rubric.Rubric,
  GradeRequest: trace.GradeRequest,
  Grade: trace.Grade,
  Trace: trace.Trace,
  StageRequest: stage.StageRequest,
  EpochRecord: stage.EpochRecord,
  Head: stage.Head,
  Manifest: stage.Manifest,
  RolloutRecord: stage.RolloutRecord,
  PromptRow: stage.PromptRow,
  ProgressLine: stage.ProgressLine,
  Outcome: stage.Outcome,
  StageResult: stage.StageResult,
  Endpoint: stage.Endpoint,
  MetricLine: stage.MetricLine,
  Heartbeat: status.Heartbeat,
  RunStatus: status.RunStatus,
  ProgressSignal: status.ProgressSignal,
  Audit: audit.Audit,
  AuditRow: audit.AuditRow,
  VerdictRow: audit.VerdictRow,
  GradingPass: audit.GradingPass,
  ExternalAuditRequest: audit.ExternalAuditRequest,
  ExternalAuditRow: audit.ExternalAuditRow,
};

const named = {
  ...contracts,
  Measure: audit.Measure,
  TaskSpec: spec.TaskSpec,
  LoraSpec: spec.LoraSpec,
  VllmSpec: spec.VllmSpec,
  SamplingSpec: spec.SamplingSpec,
  JudgeSpec: spec.JudgeSpec,
  GrpoSpec: spec.GrpoSpec,
  SftSpec: spec.SftSpec,
  AuditSpec: spec.AuditSpec,
  GateSpec: spec.GateSpec,
  PlacementSpec: spec.PlacementSpec,
  LimitsSpec: spec.LimitsSpec,
  GradingMode: spec.GradingMode,
  StageName: trace.StageName,
  GradingRole: trace.GradingRole,
  VerdictKind: trace.VerdictKind,
  Usage: trace.Usage,
  Message: trace.Message,
};

function jsonSchema(): string {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `#/$defs/${id}`, io: 'output' });
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

function pythonModels(schema: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gavel-contracts-'));
  try {
    writeFileSync(join(folder, 'contracts.json'), schema);
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
