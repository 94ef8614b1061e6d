// Latency of changes: node benches/live/latency.mjs TOKENS WRITE_TO LISTEN_AT COUNT
// One user writes to one address and subscribes at another (or the same). Measures the time from a write's response to its event.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from '../../tests/clients/node_modules/ws/wrapper.mjs';

const [file, writeTo, listenAt, count] = process.argv.slice(2);
const authorization = `Bearer ${readFileSync(file, 'utf8').split('\n')[0]}`;
const socket = new WebSocket(`ws://${listenAt}/graphql`, 'graphql-transport-ws', { perMessageDeflate: false });
const query = 'mutation { createTask(input: {title: "bench"}) { task { id } } }';
const arrived = new Map();
const send = (message) => socket.send(JSON.stringify(message));

socket.on('open', () => send({ type: 'connection_init', payload: { Authorization: authorization } }));
socket.on('message', (data) => {
  const at = performance.now();
  const { type, payload } = JSON.parse(data);
  if (type === 'connection_ack') {
    send({ type: 'subscribe', id: '1', payload: { query: 'subscription { changes { itemId } }' } });
  } else if (type === 'next') {
    arrived.set(payload.data.changes.itemId, at);
  }
});
await sleep(3000);

const times = [];
for (let number = 0; number < count; number += 1) {
  const response = await fetch(`http://${writeTo}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: authorization },
    body: JSON.stringify({ query }),
  });
  const { data } = await response.json();
  const written = performance.now();
  const { id } = data.createTask.task;
  while (!arrived.has(id)) await sleep(1);
  // The event may arrive before the response is read.
  times.push(Math.max(0, arrived.get(id) - written));
  await sleep(5 + Math.random() * 30);
}
socket.close();
times.sort((one, other) => one - other);
const at = (part) => times[Math.min(times.length - 1, Math.floor(part * times.length))].toFixed(1);
console.log(`${writeTo === listenAt ? 'same process' : 'another process'}: median ${at(0.5)} ms, p99 ${at(0.99)} ms, maximum ${at(1)} ms`);
