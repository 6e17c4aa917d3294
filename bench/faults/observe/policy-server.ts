import { readFileSync } from 'node:fs';
import { namesIn, parsed } from '../check/read-run-directory.ts';

/** What a server that samples rollouts says of itself: vLLM is asked as its clients ask it. */

const ANSWER_WITHIN_MS = 2000;

/** Names of the servers that have an endpoint now. */
export const policyServers = (endpoints: string): string[] =>
  namesIn(endpoints).flatMap((name) => /^(policy-\d+)\.json$/.exec(name)?.[1] ?? []);

/** Requests that it computes at this moment; null where it does not answer. */
export async function runningRequests(endpoint: string): Promise<number | null> {
  const text = await ask(endpoint, '/metrics');
  const found = /^vllm:num_requests_running\{[^}]*\} (\S+)$/m.exec(text ?? '');
  return found ? Number(found[1]) : null;
}

/** Names of the adapters that it has loaded; null where it does not answer. */
export async function loadedAdapters(endpoint: string): Promise<string[] | null> {
  const text = await ask(endpoint, '/v1/models');
  if (text === null) return null;
  const { data } = JSON.parse(text) as { data: { id: string; parent: string | null }[] };
  return data.flatMap(({ id, parent }) => (parent === null ? [] : [id])).sort();
}

async function ask(endpoint: string, path: string): Promise<string | null> {
  const at = parsed<{ base_url: string; api_key_file: string }>(endpoint);
  if (at === null) return null;
  try {
    const headers = { authorization: `Bearer ${readFileSync(at.api_key_file, 'utf8')}` };
    const url = new URL(path, at.base_url);
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}
