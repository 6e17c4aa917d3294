import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { digestOf } from '../run-directory/digest.ts';

/** Where a model named in a spec is: a folder, or a commit of a model on the hub. The one rule; trainers get its result in their request. */
export type ModelLocation = { kind: 'folder'; path: string } | { kind: 'hub'; name: string; revision: string };

/** Finds a model by what a spec says of it; a text says why it cannot be used, and which of the two fields is to blame. */
export function locateModel(
  root: string,
  { model, revision }: { model: string; revision: string | null },
): ModelLocation | { field: 'model' | 'revision'; problem: string } {
  const path = resolve(root, model);
  if (existsSync(join(path, 'config.json'))) {
    if (revision === null) return { kind: 'folder', path };
    return { field: 'revision', problem: `expected null, since ${path} is a folder; found ${revision}` };
  }
  const isHubName = /^[\w.-]+\/[\w.-]+$/.test(model) && !model.startsWith('.');
  // "models/x" has the form of a hub name; where the first part is a folder here, a path was meant.
  const meantAsPath = isAbsolute(model) || existsSync(resolve(root, model.split('/')[0] ?? ''));
  if (!isHubName || meantAsPath) {
    const expected = `expected a folder with a config.json (relative ones lie under ${root}) or a hub name like Qwen/Qwen3-1.7B`;
    return { field: 'model', problem: `no model there: ${expected}; found ${model}` };
  }
  if (revision !== null) return { kind: 'hub', name: model, revision };
  const commits = `https://huggingface.co/${model}/commits/main`;
  return {
    field: 'revision',
    problem: `missing; expected the commit of ${model} to use, 40 hex digits (${commits} lists them): what a hub name stands for changes`,
  };
}

/** What to hand to transformers or vLLM. */
export const modelArgument = (location: ModelLocation): string =>
  location.kind === 'folder' ? location.path : location.name;

/** Name that a server gives to a model: what traces and clients call it. */
export function servedName(location: ModelLocation, role: string, run: string): string {
  if (location.kind === 'hub') return location.name;
  return role === 'grader' ? `${run}-grader` : basename(location.path);
}

/**
 * Digest by which verdicts, results and audits name a model: of a folder that of its files, of a hub model that of
 * `hub:<name>@<commit>`, which the hub keeps as it is. Throws an AbortError as soon as `signal` aborts.
 */
export async function modelDigest(location: ModelLocation, signal?: AbortSignal): Promise<string> {
  if (location.kind === 'hub') {
    return createHash('sha256').update(`hub:${location.name}@${location.revision}`).digest('hex');
  }
  const digest = await digestOf(location.path, signal);
  if (digest === null) throw new Error(`Expected a model in ${location.path}, found no such folder.`);
  return digest;
}
