import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the fake model server does with one chat completion; vLLM's wire format, cut down to what the gateway reads. */
export type Behaviour =
  | {
      text: string;
      finish_reason?: string;
      logprobs?: boolean;
      reasoning_content?: string;
      refusal?: string;
      delay_ms?: number;
    }
  /** `after`: what must have happened before the answer goes out. */
  | { status: number; body?: unknown; headers?: Record<string, string>; after?: Promise<void> }
  | { raw: string }
  | { garbled: string }
  | { hang: true }
  | { cut: true };

export interface Asked {
  path: string;
  authorization: string | undefined;
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are whatever the gateway sent
  body: any;
}

/** A model server at the edge of the tests: answers as told, and remembers what it was asked. */
export class FakeJudge {
  readonly asked: Asked[] = [];
  /** Streams that their client left before the end. */
  abandoned = 0;
  behave: (asked: Asked, n: number) => Behaviour;
  /** Whether it knows /tokenize, as vLLM does. */
  vllm = false;
  /** What it makes of a text. */
  tokens: (text: string) => number[] = (text) => [100 + Number(text)];
  /** Whether it lists its models: what a server does that is there, whatever it makes of a chat. */
  lists = false;
  #server: Server | null = null;
  port = 0;

  constructor(behave: (asked: Asked, n: number) => Behaviour = () => ({ text: 'Fine. Score: 7' })) {
    this.behave = behave;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  get chats(): Asked[] {
    return this.asked.filter(({ path }) => path === '/v1/chat/completions');
  }

  async start(port = 0): Promise<this> {
    const server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += chunk;
    const body = text === '' ? {} : JSON.parse(text);
    const { headers } = request;
    const asked = { path: request.url ?? '', authorization: headers.authorization, headers, body };
    this.asked.push(asked);
    if (asked.path === '/tokenize') return this.#tokenize(body, response);
    if (asked.path === '/v1/models') {
      response.writeHead(this.lists ? 200 : 500, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify({ object: 'list', data: [] }));
    }
    const told = this.behave(asked, this.chats.length);
    if ('hang' in told) return;
    if ('cut' in told) return void request.socket.destroy();
    if ('raw' in told) return void response.writeHead(200, { 'content-type': 'text/html' }).end(told.raw);
    if ('garbled' in told)
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(told.garbled);
    if ('status' in told) {
      await told.after;
      response.writeHead(told.status, { 'content-type': 'application/json', ...told.headers });
      return void response.end(
        JSON.stringify(told.body ?? { error: { message: `status ${told.status}`, type: 'x', code: null } }),
      );
    }
    if (told.delay_ms) await new Promise((resolve) => setTimeout(resolve, told.delay_ms));
    if (body.stream) return this.#stream(told.text, response);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(completion(told, body)));
  }

  #tokenize({ prompt }: { prompt: string }, response: ServerResponse): void {
    response.writeHead(this.vllm ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(this.vllm ? { tokens: this.tokens(prompt), max_model_len: 512 } : {}));
  }

  async #stream(text: string, response: ServerResponse): Promise<void> {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.on('close', () => {
      if (!response.writableFinished) this.abandoned++;
    });
    for (const word of text.split(/(?<= )/)) {
      if (response.destroyed) return;
      const choice = { index: 0, delta: { content: word }, finish_reason: null };
      response.write(
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'm', choices: [choice] })}\n\n`,
      );
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const last = {
      id: 'c',
      object: 'chat.completion.chunk',
      created: 0,
      model: 'm',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    };
    response.end(`data: ${JSON.stringify(last)}\n\ndata: [DONE]\n\n`);
  }
}

type Told = Extract<Behaviour, { text: string }>;

// biome-ignore lint/suspicious/noExplicitAny: see Asked
function completion(told: Told, body: any): unknown {
  const tokens = told.text.match(/\d|[^\d]+/g) ?? [];
  const content = tokens.map((token) => ({ token, logprob: Math.log(0.8), bytes: null, top_logprobs: tops(token) }));
  const { text, reasoning_content = null, refusal = null } = told;
  return {
    id: 'c',
    object: 'chat.completion',
    created: 0,
    model: body.model,
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: text, refusal, reasoning_content },
        finish_reason: told.finish_reason ?? 'stop',
        logprobs: body.logprobs && told.logprobs !== false ? { content } : null,
      },
    ],
    usage: { prompt_tokens: 10, completion_tokens: tokens.length, total_tokens: 10 + tokens.length },
  };
}

/** The digit said has 0.8, its lower neighbour 0.1, a word 0.05; the rest are spread thinly. */
function tops(token: string): { token: string; logprob: number }[] {
  if (!/^\d$/.test(token)) return [{ token, logprob: Math.log(0.8) }];
  const said = Number(token);
  const rest = [...'0123456789'].filter((digit) => Number(digit) !== said && Number(digit) !== (said + 9) % 10);
  return [
    { token, logprob: Math.log(0.8) },
    { token: ` ${(said + 9) % 10}`, logprob: Math.log(0.1) },
    { token: 'well', logprob: Math.log(0.05) },
    ...rest.map((digit) => ({ token: digit, logprob: Math.log(1e-6) })),
  ];
}
