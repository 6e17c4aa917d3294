import { z } from 'zod';
import { GateSpec } from '../src/contracts/spec/audit.ts';
import { Spec } from '../src/contracts/spec/spec.ts';
import { EvaluateOn } from '../src/contracts/spec/task.ts';

/** The page docs/spec.md: every field of a spec, from the contract itself. */

interface Schema {
  type?: string;
  description?: string;
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
}

const sections: Record<string, string> = {
  task: 'Where prompts come from. [docs/tasks.md](tasks.md) describes each task and its verifiers.',
  policy:
    'The model that GRPO trains. `serve` is for a `grpo.rollout` that samples in vLLM, `outage_limit_s`\nfor `served` and `vllm_server`; `sampling` and `extra_body` must be left out.',
  judge: 'The model that grades during training, and how it is reached.',
  base: 'The model that the grader is trained from; the audit may grade with it too.',
  grader: 'How the trained grader is served and asked. SFT makes its model.',
  grpo: 'Reinforcement learning of the policy.',
  sft: 'Distilling the grader from the traces.',
  audit: 'What is measured of the grader, and which gates it must clear.',
  placement:
    'GPUs of each part; 0 runs it on the CPU, also on a machine with GPUs, and `gavel run` then says\nwhich fields to set. A vLLM that is built for CUDA does not start on the CPU. A stage leases all\nthat it needs at once: `grpo` judge_gpus + rollout_gpus +\ntrainer_gpus, `audit` grader_gpus for each model that it\nserves.',
  limits: 'How long gavel waits before it acts.',
};

const intro = `# The spec

A spec holds everything that a person decides about a run. It is a YAML or JSON file; for
\`temporal workflow start\` it is JSON. Paths in it are absolute or start at \`GAVEL_ROOT\`. Fields
without a default are required. An unknown field is an error, and the message names the nearest
known one. [examples/](../examples/README.md) has specs that run.

<!-- Generated from src/contracts/spec by \`npm run contracts\`; do not edit. -->
`;

/** The page as Markdown. */
export function specPage(): string {
  const schema = z.toJSONSchema(Spec, { io: 'input' }) as Schema;
  const parts: string[] = [];
  const top = Object.entries(schema.properties ?? {});
  const scalars = top.filter(([, field]) => !field.properties);
  parts.push(tableOf(scalars, schema.required));
  for (const [name, field] of top) {
    if (!field.properties) continue;
    parts.push(`## ${name}\n\n${sections[name] ?? ''}\n`);
    parts.push(tableOf(flatten(field, ''), null));
  }
  const further = z.toJSONSchema(EvaluateOn, { io: 'input' }) as Schema;
  parts.push('## task.evaluate_on\n\nEach further task of the list.\n');
  parts.push(tableOf(flatten(further, ''), null));
  const gate = z.toJSONSchema(GateSpec, { io: 'input' }) as Schema;
  parts.push(`## audit.gates\n\nEach gate of the list. See [docs/audit.md](audit.md#gates) for how one is decided.\n`);
  parts.push(tableOf(flatten(gate, ''), null));
  return `${intro}\n${parts.join('\n')}`;
}

type Row = [name: string, field: Schema, required?: boolean];

/** Nested objects become dotted names, since that is how messages name them. */
function flatten(schema: Schema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]): Row[] => {
    const path = `${prefix}${name}`;
    const inner = objectOf(field);
    const own: Row = [path, field, schema.required?.includes(name) ?? false];
    return inner ? [...(inner === field ? [] : [own]), ...flatten(inner, `${path}.`)] : [own];
  });
}

/** The object that a field is, or is unless null. */
function objectOf(field: Schema): Schema | null {
  if (field.properties) return field;
  return field.anyOf?.find(({ properties }) => properties) ?? null;
}

function tableOf(rows: Row[], required: string[] | null | undefined): string {
  const lines = rows.map(([name, field, needed]) => {
    const must = needed ?? required?.includes(name) ?? false;
    const standard = must ? 'required' : 'default' in field ? code(field.default) : '';
    return `| \`${name}\` | ${typeOf(field)} | ${standard} | ${cell(describe(field))} |`;
  });
  return `| field | type | default | meaning |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`;
}

const describe = (field: Schema): string =>
  field.description ?? field.anyOf?.find(({ description }) => description)?.description ?? '';

function typeOf(field: Schema): string {
  if (field.anyOf) return field.anyOf.map(typeOf).join(' or ');
  if (field.enum) return field.enum.map(code).join(', ');
  if (field.const !== undefined) return code(field.const);
  if (field.type === 'array') return `list of ${field.items?.properties ? 'objects' : typeOf(field.items ?? {})}`;
  if (field.type === 'integer' || field.type === 'number') return numberType(field);
  if (field.format === 'uri') return 'URL';
  return field.type === 'string' ? 'text' : (field.type ?? 'any');
}

function numberType(field: Schema): string {
  const bounds = [
    field.minimum !== undefined && field.minimum > -Number.MAX_SAFE_INTEGER && `from ${field.minimum}`,
    field.exclusiveMinimum !== undefined && `above ${field.exclusiveMinimum}`,
    field.maximum !== undefined && field.maximum < Number.MAX_SAFE_INTEGER && `to ${field.maximum}`,
    field.exclusiveMaximum !== undefined && `below ${field.exclusiveMaximum}`,
  ].filter(Boolean);
  return [field.type === 'integer' ? 'whole number' : 'number', ...bounds].join(' ');
}

function code(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value).replaceAll(/([:,])(?!$)/g, '$1 ');
  return `\`${text}\``;
}

/** A bar would end the cell. */
const cell = (text: string) => text.replaceAll('|', '\\|');
