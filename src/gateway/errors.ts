/** One line of JSON that the openai SDKs turn into their own error classes by its status. */
export class GatewayError extends Error {
  readonly status: number;
  readonly code: string;
  readonly retry_after_s: number | null;

  constructor(status: number, code: string, message: string, retry_after_s: number | null = null) {
    super(message);
    this.name = 'GatewayError';
    this.status = status;
    this.code = code;
    this.retry_after_s = retry_after_s;
  }

  toResponse(): Response {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (this.retry_after_s !== null) headers['retry-after'] = String(Math.ceil(this.retry_after_s));
    const error = { message: this.message, type: typeOf(this.status), param: null, code: this.code };
    return new Response(JSON.stringify({ error }), { status: this.status, headers });
  }
}

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

export const badRequest = (message: string, code = 'bad_request'): GatewayError => new GatewayError(400, code, message);

/** The model is away for longer than it may be; the stage that asked ends, and can be resumed. */
export const judgeAway = (message: string): GatewayError => new GatewayError(503, 'judge_away', message);

/** A retry cannot succeed: a person has to fix the configuration. */
export const judgeMisconfigured = (message: string): GatewayError =>
  new GatewayError(502, 'judge_misconfigured', message);
