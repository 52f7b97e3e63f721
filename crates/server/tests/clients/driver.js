// Drives the official socket.io client for the tests: one JSON command a line comes in, one JSON
// answer or event a line goes out.
'use strict';
const { createRequire } = require('node:module');
const { createInterface } = require('node:readline');
const { io } = createRequire(`${process.argv[2]}/`)('socket.io-client');

const sockets = new Map();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const commands = {
  open({ socket, base, options }) {
    const opened = io(base, { forceNew: true, reconnection: false, ...options });
    sockets.set(socket, opened);
    opened.onAny((event, ...payload) => say({ socket, event, payload }));
    opened.on('disconnect', (reason) => say({ socket, event: '!disconnect', payload: [reason] }));
    opened.io.on('reconnect', () => say({ socket, event: '!reconnect', payload: [] }));
    return new Promise((done, failed) => {
      opened.once('connect', () => done(opened.id));
      opened.once('connect_error', (error) => failed(error));
    });
  },
  ask: ({ socket, event, payload }) => sockets.get(socket).timeout(10000).emitWithAck(event, ...payload),
  tell({ socket, event, payload }) {
    sockets.get(socket).emit(event, ...payload);
  },
  // Many sockets at once, each of which speaks as soon as it may; answers with what each was answered.
  burst({ base, options, count, event, payload }) {
    const one = () => new Promise((done, failed) => {
      const socket = io(base, { forceNew: true, reconnection: false, ...options });
      socket.once('connect_error', failed);
      socket.once('connect', () => {
        socket.timeout(10000).emitWithAck(event, ...payload).then(done, failed).finally(() => socket.close());
      });
    });
    return Promise.all(Array.from({ length: count }, one));
  },
  pause({ socket }) {
    // The operating system's buffer fills, and then the server's queue.
    sockets.get(socket).io.engine.transport.ws._socket.pause();
  },
  close({ socket }) {
    sockets.get(socket).close();
  },
};

createInterface({ input: process.stdin }).on('line', async (line) => {
  const { id, does, ...rest } = JSON.parse(line);
  try {
    say({ id, done: (await commands[does](rest)) ?? null });
  } catch (error) {
    say({ id, failed: String(error) });
  }
});
process.stdin.on('end', () => process.exit(0));
