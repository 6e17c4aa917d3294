/** A model server on this machine, as it was started. */
export interface StartedServer {
  /** Without /v1. */
  url: string;
  api_key: string;
  served_name: string;
}

// A busy server on two cores may take seconds to answer.
const ANSWER_WITHIN_MS = 5000;

/** Whether the server at `url` says that it is healthy: vLLM answers 503 once its engine is gone. */
export async function isHealthy({ url }: Pick<StartedServer, 'url'>, signal: AbortSignal): Promise<boolean> {
  return (await answer(`${url}/health`, {}, signal)) !== null;
}

/**
 * Whether the server at `url` is the one that was started there: it takes that server's key, refuses another, and lists its model. Between the
 * choice of a free port and the server's listen on it, which takes vLLM half a minute, another process may listen there and answer /health.
 */
export async function isOwn({ url, api_key, served_name }: StartedServer, signal: AbortSignal): Promise<boolean> {
  const models = `${url}/v1/models`;
  const listed = await answer(models, { authorization: `Bearer ${api_key}` }, signal);
  if (listed === null || (await answer(models, { authorization: 'Bearer another' }, signal)) !== null) return false;
  try {
    const { data } = JSON.parse(listed) as { data: { id: string }[] };
    return data.some(({ id }) => id === served_name);
  } catch {
    return false;
  }
}

/** The body of an answer with a status of success; null for any other, and for none. */
async function answer(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<string | null> {
  try {
    const enough = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
    const response = await fetch(url, { headers, signal: enough });
    const body = await response.text();
    return response.ok ? body : null;
  } catch {
    return null;
  }
}
