import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Where a model named in a spec is: a folder, or a name that the hub knows. */
export type ModelLocation = { kind: 'folder'; path: string } | { kind: 'hub'; name: string };

/** Finds a model by the name in a spec; null where it is a path and nothing is there. */
export function locateModel(root: string, model: string): ModelLocation | null {
  const path = resolve(root, model);
  if (existsSync(join(path, 'config.json'))) return { kind: 'folder', path };
  const isHubName = /^[\w.-]+\/[\w.-]+$/.test(model) && !model.startsWith('.');
  // "models/x" has the form of a hub name; where the first part is a folder here, a path was meant.
  const meantAsPath = isAbsolute(model) || existsSync(resolve(root, model.split('/')[0] ?? ''));
  return isHubName && !meantAsPath ? { kind: 'hub', name: model } : null;
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
 * sha256 over names and contents of a model folder's files, so that a verdict names the weights that gave it.
 * Null for a hub model: its weights are named by the hub. Throws an AbortError as soon as `signal` aborts: large weights take minutes.
 */
export async function modelDigest(location: ModelLocation, signal?: AbortSignal): Promise<string | null> {
  if (location.kind === 'hub') return null;
  const digest = createHash('sha256');
  const names = readdirSync(location.path).filter((name) => /\.(json|safetensors|bin|jinja|model)$/.test(name));
  for (const name of names.sort()) {
    const path = join(location.path, name);
    digest.update(`${name}\0${statSync(path).size}\0`);
    const read = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) digest.update(chunk);
    };
    await pipeline(createReadStream(path), read, signal ? { signal } : {});
  }
  return digest.digest('hex');
}
