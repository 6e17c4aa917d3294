import { createHash, timingSafeEqual } from 'node:crypto';
import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { z } from 'zod';
import {
  GatewayConfig,
  type GatewayConfigInput,
  type GatewayEvent,
  type GatewayRole,
  type RoleStats,
} from '../contracts/gateway.ts';
import { MessagesRequest, type RenderedMessages } from '../contracts/messages.ts';
import { GradeRequest } from '../contracts/trace.ts';
import { controlStrings } from '../judging/control-strings.ts';
import { modes } from '../judging/modes/registry.ts';
import { type LoadedRubric, readRubric } from '../judging/rubric.ts';
import { PLAIN_SCALE } from '../judging/value.ts';
import { Ledger } from '../ledger/ledger.ts';
import { chat } from './chat.ts';
import type { ChatBody } from './chat-body.ts';
import { ChatRecorder } from './chat-record.ts';
import { NotPublished } from './endpoint.ts';
import { errorLine } from './error-line.ts';
import { badRequest, GatewayError } from './errors.ts';
import { Grader } from './grade.ts';
import { findModel, listModels } from './models.ts';
import { promptingOf, rubricOf } from './prompting.ts';
import { type Role, Upstream } from './upstream.ts';

/** Several times the longest context of today's judges as text; more is a mistake or an attack. */
const BODY_BYTES = 8 << 20;

/** Longer than clients keep idle connections, so that they are never the side surprised by a close. */
const KEEP_ALIVE_MS = 120_000;

export interface Gateway {
  /** Without /v1. */
  url: string;
  port: number;
  stats(): Record<string, RoleStats>;
  /** Ends open connections, seals the segment. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts a gateway in this process. `key` is what clients must send as a bearer token; `emit` hears what it announces.
 * Throws RubricError, ZodError, GatewayError (a role that cannot work), or an Error that names the port.
 */
export async function startGateway(
  input: GatewayConfigInput,
  key: string,
  emit: (event: GatewayEvent) => void = () => {},
): Promise<Gateway> {
  if (key === '') throw new Error('Expected a key in GAVEL_API_KEY, got nothing: a gateway never runs without one.');
  const config = GatewayConfig.parse(input);
  const rubric = config.rubric === null ? null : readRubric(config.rubric);
  const upstreams = startUpstreams(config, emit);
  const { run, stage, epoch, run_dir } = config;
  const control = controlStrings(config.tokenizers);
  // A gateway without a role only renders: indexing a large ledger for it would take minutes.
  const ledger = Object.keys(upstreams).length > 0 ? await Ledger.open({ run_dir, stage, epoch }) : null;
  const grader = ledger && new Grader({ run, stage }, rubric, control, ledger, upstreams);
  const recorders = new Map<Upstream, ChatRecorder>();
  if (ledger && config.record_chat) {
    for (const upstream of Object.values(upstreams))
      recorders.set(upstream, new ChatRecorder({ run, stage }, ledger, upstream, rubric?.rubric ?? PLAIN_SCALE));
  }
  const stats = () => statsOf(upstreams);
  const app = routes({ key, grader, rubric, control, upstreams, recorders, stats });
  const server = await listen(app, config);
  const { port } = server.address() as { port: number };
  const url = `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
  emit({ event: 'listening', url });

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    // Clients see a cut connection, which they answer by looking for the next gateway; an error reply would be final.
    server.close();
    server.closeAllConnections();
    for (const upstream of Object.values(upstreams)) upstream.close();
    await ledger?.close();
  };
  return {
    url,
    port,
    stats,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

type Upstreams = Partial<Record<Role, Upstream>>;

function startUpstreams(config: GatewayConfig, emit: (event: GatewayEvent) => void): Upstreams {
  const upstreams: Upstreams = {};
  for (const [role, settings] of Object.entries(config.roles) as [Role, GatewayRole | undefined][]) {
    if (!settings) continue;
    const upstream = new Upstream(role, settings, emit);
    try {
      upstream.place();
    } catch (error) {
      // A model may still be starting, so a missing endpoint is no error. A wrong setting is one.
      if (!(error instanceof NotPublished)) throw error;
    }
    upstreams[role] = upstream;
  }
  return upstreams;
}

interface Parts {
  key: string;
  /** null: no role is served. */
  grader: Grader | null;
  rubric: LoadedRubric | null;
  /** Finds what no graded text may spell. */
  control: RegExp;
  upstreams: Upstreams;
  recorders: Map<Upstream, ChatRecorder>;
  stats: () => Record<string, RoleStats>;
}

function routes({ key, grader, rubric, control, upstreams, recorders, stats }: Parts): Hono {
  const app = new Hono();
  const expected = digest(`Bearer ${key}`);
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.use('/v1/*', async (c, next) => {
    // Digests have equal length whatever was sent, so the comparison takes the same time.
    if (!timingSafeEqual(digest(c.req.header('authorization') ?? ''), expected)) {
      throw new GatewayError(
        401,
        'invalid_api_key',
        'Expected "Authorization: Bearer <key>" with this gateway\'s key.',
      );
    }
    await next();
  });
  const tooBig = () =>
    new GatewayError(413, 'body_too_large', `Expected a body of at most ${BODY_BYTES} bytes.`).toResponse();
  app.use('/v1/*', bodyLimit({ maxSize: BODY_BYTES, onError: tooBig }));

  app.post('/v1/grade', async (c) => {
    const request = await bodyOf(c, GradeRequest);
    if (!grader) throw badRequest('role: Expected a gateway that serves a role, got one that only renders.', 'no_role');
    return c.json(await grader.grade(request));
  });
  app.post('/v1/messages', async (c) => {
    const request = await bodyOf(c, MessagesRequest);
    const { mode, score, preferred } = request;
    const graded = rubricOf(rubric).rubric;
    const { messages, answer_prefix } = promptingOf(graded, control, mode, request);
    const reply = modes[mode].answer(graded, { score, preferred });
    return c.json({ messages, answer_prefix, reply } satisfies RenderedMessages);
  });
  app.post('/v1/chat/completions', async (c) => {
    const body = (await jsonBody(c)) as ChatBody;
    if (!Array.isArray(body?.messages)) throw badRequest('messages: Expected a list of messages, got none.');
    const upstream = findModel(upstreams, body.model);
    return chat(upstream, body, c.req.raw.signal, recorders.get(upstream) ?? null);
  });
  app.get('/v1/models', (c) => c.json({ object: 'list', data: listModels(upstreams) }));
  app.get('/v1/models/:id{.+}', (c) => {
    const id = c.req.param('id');
    findModel(upstreams, id);
    return c.json(listModels(upstreams).find((model) => model.id === id));
  });
  app.get('/v1/stats', (c) => c.json({ roles: stats() }));
  app.notFound((c) =>
    new GatewayError(404, 'not_found', `Expected a path of this API, got ${c.req.path}.`).toResponse(),
  );
  app.onError((error) => {
    if (error instanceof GatewayError) return error.toResponse();
    console.error(errorLine(error.stack ?? error.message));
    const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
    return new GatewayError(
      full ? 507 : 500,
      full ? 'disk_full' : 'internal',
      errorLine(`The gateway failed: ${error.message}`),
    ).toResponse();
  });
  return app;
}

async function bodyOf<Schema extends z.ZodType>(c: Context, schema: Schema): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(await jsonBody(c));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw badRequest(`${issue?.path.join('.') || 'body'}: ${issue?.message}`);
}

async function jsonBody(c: Context): Promise<unknown> {
  try {
    return await c.req.json();
  } catch {
    throw badRequest('body: Expected JSON, got something else.');
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

function statsOf(upstreams: Upstreams): Record<string, RoleStats> {
  const entries = Object.values(upstreams).map(({ role, stats, outage }) => {
    return [role, { ...stats, waiting: outage.waiting, waiting_s: Math.round(outage.total_s * 10) / 10 }];
  });
  return Object.fromEntries(entries);
}

function listen(app: Hono, { host, port }: GatewayConfig): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(server)) as Server;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.on('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new Error(`Expected port ${port} on ${host} to be free, got one in use. Choose another, or 0 for any.`)
          : error,
      );
    });
  });
}
