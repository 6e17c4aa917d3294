import { APIError } from 'openai';
import { innermost } from '../failures.ts';
import { NotPublished } from './endpoint.ts';
import { errorLine } from './error-line.ts';
import { GatewayError } from './errors.ts';

/** What a failed call to a model means. `message` may quote the request or the reply; `brief` never does. */
export type Fault =
  /** The server is away, busy or broken; asking later may help. `suspect`: the request itself may be the reason. */
  | { kind: 'away'; message: string; brief: string; retry_after_s: number | null; suspect: boolean }
  /** This one request cannot be answered, and no later one like it. */
  | { kind: 'rejected'; message: string; brief: string; refused: boolean; status: number }
  /** Asking again brings the same. Unless others are answered, nothing will be until a person changes something. */
  | { kind: 'misconfigured'; message: string; brief: string };

const TOO_LONG =
  /context.?(?:length|window|size)|maximum.{0,20}(?:length|tokens)|too long|too many tokens|string_above_max/i;
const CONTENT_FILTER = /content.?(?:filter|policy|management)|responsibleai/i;

/** The server took a request and did not answer it in time. */
export class NoAnswerInTime extends Error {
  override name = 'NoAnswerInTime';
}

/** The server answered 200 with something that is no answer: a proxy's page, say. */
export class Garbage extends Error {
  override name = 'Garbage';
}

/** Statuses that say when to come back, and nothing of the request. */
const BUSY = [408, 409, 425, 429, 503];

/** Sorts anything that a call to a model server threw. GatewayErrors pass through: they are decided already. */
export function faultOf(error: unknown, secrets: readonly (string | null)[], max_tokens: number | null): Fault {
  if (error instanceof GatewayError) throw error;
  const text = errorLine(describe(error), secrets);
  if (!(error instanceof APIError) || error.status === undefined) {
    // A connection that is refused or cut is no answer to any request. A body that is no JSON throws a SyntaxError.
    const suspect = error instanceof NoAnswerInTime || unreadable(error);
    const brief = unreadable(error) ? 'the answer was no chat completion' : text;
    return { kind: 'away', message: text, brief, retry_after_s: null, suspect };
  }
  const { status } = error;
  const redirect = redirectIn(status, error.headers);
  if (redirect !== null) return { kind: 'misconfigured', message: redirect, brief: `HTTP ${status}` };
  const message = `HTTP ${status}: ${text}`;
  const brief = `HTTP ${status}`;
  if (status >= 500 || BUSY.includes(status)) {
    // Answers that say the account is empty come as 429 too, but no waiting refills it.
    if (error.code === 'insufficient_quota') return { kind: 'misconfigured', message, brief };
    return { kind: 'away', message, brief, retry_after_s: retryAfter(error.headers), suspect: !BUSY.includes(status) };
  }
  if (status === 400 || status === 413 || status === 422) {
    const about = `${error.code ?? ''} ${error.type ?? ''} ${error.message}`;
    if (CONTENT_FILTER.test(about)) return { kind: 'rejected', message, brief, refused: true, status };
    // A context that the reply alone would fill is a wrong setting, not a long completion.
    const context = Number(/maximum context length is (\d+)/i.exec(about)?.[1] ?? Number.POSITIVE_INFINITY);
    const hopeless = max_tokens !== null && max_tokens >= context;
    if (status === 413 || (TOO_LONG.test(about) && !hopeless))
      return { kind: 'rejected', message, brief, refused: false, status };
  }
  return { kind: 'misconfigured', message, brief };
}

/**
 * What a redirect means; null: the answer is none. Whoever answers at a configured address could send prompts, and whose verdicts count,
 * to any other host, so none is followed.
 */
export function redirectIn(status: number, headers: Headers | undefined): string | null {
  if (status < 300 || status >= 400) return null;
  const location = headers?.get('location') ?? '';
  // Without its query, which may hold a token.
  const place = URL.canParse(location) ? new URL(location).host : location.split('?')[0] || 'no address';
  return (
    `It answered with a redirect to ${errorLine(place)} (HTTP ${status}), which gavel does not follow. ` +
    'If that is the right server, give that address.'
  );
}

const unreadable = (error: unknown) => error instanceof Garbage || error instanceof SyntaxError;

function describe(error: unknown): string {
  if (error instanceof NotPublished) return error.message;
  if (!(error instanceof Error)) return String(error);
  if (error instanceof APIError && error.status !== undefined) {
    return error.message.replace(new RegExp(`^${error.status} `), '');
  }
  // fetch says "fetch failed" and keeps what happened in the innermost cause.
  const { code, message } = innermost(error) as NodeJS.ErrnoException;
  return code && !message.includes(code) ? `${code} ${message}` : message;
}

/** Seconds that a server asks callers to wait; both forms of Retry-After, and OpenAI's milliseconds. */
export function retryAfter(headers: Headers | undefined): number | null {
  const ms = Number.parseFloat(headers?.get('retry-after-ms') ?? '');
  if (Number.isFinite(ms)) return Math.max(0, ms / 1000);
  const value = headers?.get('retry-after');
  if (!value) return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - Date.now()) / 1000);
}
