/**
 * A model server that answers each chat completion a fixed time after it came, in the form of vLLM's replies with log-probabilities.
 * `node upstream.ts LATENCY_MS`; prints its URL. `GET /asked` gives the body of the last chat completion.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As many as the gateway asks for. */
const TOP = 20;
const VERDICT = ['Score', ':', ' ', '7'];

const latency_ms = Number(process.argv[2]);
const replies = new Map<number, Buffer>();
let asked = '{}';

function likely(token: string, rank: number) {
  return { token, logprob: -0.0123456789012345 - 1.3 * rank, bytes: [...Buffer.from(token)] };
}

function reply(tokens: number): Buffer {
  const words = Array.from({ length: tokens }, (_, at) => VERDICT[at - tokens + VERDICT.length] ?? ` step${at % 10}`);
  const content = words.map((word) => ({
    ...likely(word, 0),
    top_logprobs: [word, ...Array.from({ length: TOP - 1 }, (_, at) => `${at < 10 ? at : ` other${at}`}`)].map(likely),
  }));
  const message = { role: 'assistant', content: words.join(''), refusal: null, reasoning_content: null };
  const usage = { prompt_tokens: 300, completion_tokens: tokens, total_tokens: 300 + tokens };
  const choices = [{ index: 0, message, logprobs: { content }, finish_reason: 'stop', stop_reason: null }];
  return Buffer.from(
    JSON.stringify({ id: 'chatcmpl-0', object: 'chat.completion', created: 0, model: 'judge', choices, usage }),
  );
}

function answer(response: ServerResponse, body: Buffer | string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const server = createServer(async (request, response) => {
  const came = performance.now();
  const text = await read(request);
  if (request.url === '/asked') return answer(response, asked);
  if (request.url === '/tokenize') {
    return answer(response, JSON.stringify({ tokens: [Number(JSON.parse(text).prompt)], count: 1 }));
  }
  asked = text;
  const tokens: number = JSON.parse(text).max_tokens;
  const body = replies.get(tokens) ?? reply(tokens);
  replies.set(tokens, body);
  setTimeout(() => answer(response, body), came + latency_ms - performance.now());
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
});
process.stdin.on('end', () => process.exit(0)).resume();
