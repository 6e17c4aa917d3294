import { APIConnectionError, APIError } from 'openai';
import type { ChatCompletionCreateParams } from 'openai/resources/chat/completions';
import type { ChatBody } from './chat-body.ts';
import type { ChatRecorder, Listener } from './chat-record.ts';
import { NotPublished } from './endpoint.ts';
import { errorLine } from './error-line.ts';
import { badRequest, GatewayError, judgeMisconfigured } from './errors.ts';
import type { Live, Upstream } from './upstream.ts';
import { redirectIn, retryAfter } from './upstream-errors.ts';

/**
 * Hands one chat completion on to a model and its answer back, streamed or whole, as it comes. Each is tried once (twice
 * where the model has moved): OpenAI clients retry by themselves, and a person who waits wants to hear that the model is away.
 */
export function chat(
  upstream: Upstream,
  body: ChatBody,
  client: AbortSignal,
  record: ChatRecorder | null,
): Promise<Response> {
  const gone = new AbortController();
  const onGone = () => gone.abort();
  client.addEventListener('abort', onGone);
  upstream.stats.calls++;
  // The place under the concurrency limit is held until the last byte; the response starts before that.
  return new Promise((resolve, reject) => {
    upstream
      .once(async (live) => {
        const response = await whole(upstream, await reach(upstream, live, body, gone));
        const listener = record ? record.follow(body, live.endpoint, response) : null;
        const { stream, ended } = relay(response, gone, listener);
        const headers = { 'content-type': response.headers.get('content-type') ?? 'application/json' };
        resolve(new Response(stream, { status: response.status, headers }));
        await ended;
        upstream.stats.asked++;
      })
      .catch((error) => reject(error instanceof NotPublished ? away(upstream, error.message) : error))
      .finally(() => client.removeEventListener('abort', onGone));
  });
}

async function reach(upstream: Upstream, live: Live, body: ChatBody, gone: AbortController): Promise<Response> {
  for (let place = live, first = true; ; first = false) {
    const { client, endpoint } = place;
    const late = setTimeout(() => {
      gone.abort(new Error(`No answer within ${upstream.config.timeout_s} s.`));
    }, upstream.config.timeout_s * 1000);
    try {
      return await client.chat.completions
        .create({ ...body, model: endpoint.model } as ChatCompletionCreateParams, { signal: gone.signal })
        .asResponse();
    } catch (error) {
      if (first && error instanceof APIConnectionError && upstream.moved(endpoint)) {
        place = upstream.place();
        continue;
      }
      const thrown = gone.signal.aborted ? gone.signal.reason : error;
      throw (await ownFailure(upstream, place, thrown)) ?? translate(upstream, thrown, endpoint.api_key);
    } finally {
      clearTimeout(late);
    }
  }
}

/** A model list is answered from memory: what takes longer is a server that is away. */
const ALIVE_WITHIN_MS = 5_000;

/** The model server's error for this one request, if the server is otherwise there: 503 would invite the client to wait for it. */
async function ownFailure(
  upstream: Upstream,
  { client, endpoint }: Live,
  error: unknown,
): Promise<GatewayError | null> {
  if (!(error instanceof APIError) || !(error.status >= 500) || error.status === 503) return null;
  try {
    await client.models.list({ signal: AbortSignal.timeout(ALIVE_WITHIN_MS) });
  } catch {
    return null;
  }
  const message = errorLine(error.message.replace(/^\d{3} /, ''), [endpoint.api_key]);
  return failed(error.status, `The ${upstream.role} failed this request (HTTP ${error.status}): ${message}`);
}

const failed = (status: number, message: string): GatewayError => new GatewayError(status, 'model_failed', message);

/** An answer that is not streamed is read whole, since only then can a proxy's page or half an answer be told from a completion. */
async function whole(upstream: Upstream, response: Response): Promise<Response> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream')) return response;
  const text = await response.text().catch((error) => {
    throw away(upstream, errorLine(String(error)));
  });
  if (!isCompletion(text)) {
    throw failed(502, `Expected a chat completion from the ${upstream.role}, got ${errorLine(text.slice(0, 120))}`);
  }
  return new Response(text, { status: response.status, headers: { 'content-type': 'application/json' } });
}

function isCompletion(text: string): boolean {
  try {
    return Array.isArray(JSON.parse(text).choices);
  } catch {
    return false;
  }
}

/** The client's own faults keep their status; those of the model server are not the client's. */
function translate(upstream: Upstream, error: unknown, secret: string | null): Error {
  if (error instanceof GatewayError) return error;
  if (!(error instanceof APIError) || error.status === undefined) {
    return away(upstream, errorLine(error instanceof Error ? error.message : String(error), [secret]));
  }
  const redirect = redirectIn(error.status, error.headers);
  if (redirect !== null) return judgeMisconfigured(`The ${upstream.role} cannot be used as configured: ${redirect}`);
  const message = errorLine(error.message.replace(/^\d{3} /, ''), [secret]);
  const retry_after_s = retryAfter(error.headers);
  if (error.status === 429) return new GatewayError(429, error.code ?? 'rate_limited', message, retry_after_s);
  if (error.status >= 500) return away(upstream, message, retry_after_s);
  if (error.status === 400 || error.status === 413 || error.status === 422)
    return badRequest(message, error.code ?? undefined);
  return judgeMisconfigured(`The ${upstream.role} cannot be used as configured: HTTP ${error.status}: ${message}`);
}

const away = (upstream: Upstream, message: string, retry_after_s: number | null = 1): GatewayError =>
  new GatewayError(503, 'model_away', `The ${upstream.role} does not answer: ${message}`, retry_after_s ?? 1);

/** Passes bytes on, showing them to `listener` first. A client that leaves ends the call. */
function relay(
  response: Response,
  gone: AbortController,
  listener: Listener | null,
): { stream: ReadableStream<Uint8Array>; ended: Promise<void> } {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  let finish = (): void => {};
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done || listener?.feed(value)) await listener?.end();
        if (value) controller.enqueue(value);
        if (!done) return;
        controller.close();
        finish();
      } catch (error) {
        controller.error(error);
        finish();
      }
    },
    async cancel() {
      gone.abort();
      finish();
      await reader.cancel().catch(() => {});
    },
  });
  // A client that has left may never read again, so nothing would be pulled.
  gone.signal.addEventListener('abort', finish, { once: true });
  return { stream, ended };
}
