// Opens idle sockets or subscriptions and keeps them open: node benches/live/sockets.mjs URL TOKENS COUNT [subscribe]
// TOKENS is a file with one access token per line, used in turn. Prints `ready` when all sockets are open. With `subscribe`, it then
// prints a line for each event: its arrival in microseconds since 1970, and the item's id.
import { readFileSync } from 'node:fs';
import WebSocket from '../../tests/clients/node_modules/ws/wrapper.mjs';

const [url, file, count, mode] = process.argv.slice(2);
const tokens = readFileSync(file, 'utf8').trim().split('\n');
const query = 'subscription { changes { itemId } }';
const now = () => Math.round((performance.timeOrigin + performance.now()) * 1000);
const sockets = [];

function open(index) {
  return new Promise((done, failed) => {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
    sockets.push(socket);
    const payload = { Authorization: `Bearer ${tokens[index % tokens.length]}` };
    socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
    socket.on('error', failed);
    socket.on('close', (code) => console.log(`closed ${code}`));
    socket.on('message', (data) => {
      const message = JSON.parse(data);
      if (message.type === 'connection_ack') {
        if (mode) socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query } }));
        done();
      } else if (message.type === 'next') {
        console.log(`${now()} ${message.payload.data.changes.itemId}`);
      } else {
        console.log(JSON.stringify(message));
      }
    });
  });
}

for (let opened = 0; opened < count; opened += 50) {
  const some = Math.min(50, count - opened);
  await Promise.all(Array.from({ length: some }, (_, index) => open(opened + index)));
}
console.log('ready');
process.stdin.on('end', () => process.exit()).resume();
