// Node's socket.io with one room, for the bench to compare with: what is posted to /say everybody hears.
'use strict';
const { createRequire } = require('node:module');
const { createServer } = require('node:http');
const { Server } = createRequire(`${process.argv[2]}/`)('socket.io');

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    io.to('den').emit('chat message', JSON.parse(Buffer.concat(parts)));
    response.end();
  });
});
server.keepAliveTimeout = 0;
const io = new Server(server, { transports: ['websocket'], serveClient: false, pingInterval: 25000, pingTimeout: 20000 });
io.on('connection', (socket) => socket.join('den'));
server.listen(0, '127.0.0.1', () => console.log(`node: listening on http://127.0.0.1:${server.address().port}`));
