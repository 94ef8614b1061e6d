// The events of the subscription that ran last in each tab, for the list below the response.

import { create } from 'zustand';

/** Older events are dropped from the list. */
export const MAX_EVENTS = 500;

const EMPTY = { count: 0, events: [] };

const useLogs = create(() => ({ tab: null, logs: {} }));

/** The number of events since the subscription started, and the newest of them, the newest first. */
export function useEvents() {
  return useLogs(({ tab, logs }) => logs[tab] ?? EMPTY);
}

/** Shows the events of another tab. GraphiQL runs operations in the open tab only. */
export function openTab(tab) {
  useLogs.setState({ tab });
}

export function startLog() {
  update(() => EMPTY);
}

export function logEvent(response) {
  update(({ count, events }) => {
    const event = { number: count + 1, receivedAt: new Date(), response };
    return { count: count + 1, events: [event, ...events].slice(0, MAX_EVENTS) };
  });
}

function update(change) {
  useLogs.setState(({ tab, logs }) => ({ logs: { ...logs, [tab]: change(logs[tab] ?? EMPTY) } }));
}
