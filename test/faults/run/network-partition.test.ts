import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Forwarder } from '../../../bench/faults/run/network-partition.ts';

/** The forwarder that stands for the network between a node and the server. */

// A machine that is busy takes its time.
const until = (look: () => void) => vi.waitFor(look, { timeout: 20_000 });

let server: Server;
let forwarder: Forwarder;
let address: { host: string; port: number };
const open: Socket[] = [];

beforeEach(async () => {
  server = echo();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  forwarder = new Forwarder((server.address() as AddressInfo).port);
  const [host = '', port] = (await forwarder.open()).split(':');
  address = { host, port: Number(port) };
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await forwarder.close();
  server.close();
});

const echo = () =>
  createServer((socket) => {
    open.push(socket);
    socket.on('error', () => undefined).pipe(socket);
  });

function client() {
  const socket = createConnection(address);
  open.push(socket);
  const seen = { text: '', closed: false };
  socket.on('data', (part) => {
    seen.text += part;
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    seen.closed = true;
  });
  return { socket, seen };
}

async function talking() {
  const one = client();
  one.socket.write('a');
  await until(() => expect(one.seen.text).toBe('a'));
  return one;
}

describe('a way to the server', () => {
  it('loses nothing of what is sent, either way', async () => {
    const { socket, seen } = client();
    const much = 'x'.repeat(4 << 20);
    socket.end(much);
    await until(() => expect(seen.closed).toBe(true));
    expect(seen.text.length).toBe(much.length);
  });

  it('that is broken resets connections and refuses new ones until it is healed', async () => {
    const { seen } = await talking();
    forwarder.cut('broken');
    const late = client();
    late.socket.write('b');
    await until(() => expect([seen.closed, late.seen.closed]).toEqual([true, true]));
    expect(late.seen.text).toBe('');
    forwarder.heal();
    await talking();
  });

  it('that is silent brings what was sent once it is healed, in connections old and new', async () => {
    const { socket, seen } = await talking();
    forwarder.cut('silent');
    socket.write('b');
    const late = client();
    late.socket.write('c');
    await sleep(200);
    expect([seen, late.seen]).toEqual([
      { text: 'a', closed: false },
      { text: '', closed: false },
    ]);
    forwarder.heal();
    await until(() => expect([seen.text, late.seen.text]).toEqual(['ab', 'c']));
  });

  it('that is silent does not show that the other side has closed before it is healed', async () => {
    const { seen } = await talking();
    forwarder.cut('silent');
    for (const socket of open)
      if (socket.localPort === (server.address() as AddressInfo).port) socket.resetAndDestroy();
    await sleep(200);
    expect(seen.closed).toBe(false);
    forwarder.heal();
    await until(() => expect(seen.closed).toBe(true));
  });

  it('leads to a server that comes back at its port', async () => {
    const { seen } = await talking();
    const { port } = server.address() as AddressInfo;
    server.close();
    for (const socket of open.splice(0)) if (socket.localPort === port) socket.destroy();
    await until(() => expect(seen.closed).toBe(true));
    const refused = client();
    await until(() => expect(refused.seen.closed).toBe(true));
    server = echo();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    await talking();
  });
});
