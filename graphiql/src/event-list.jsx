// The list of a subscription's events below the response, which shows the newest event only.

import { Button } from '@graphiql/react';
import { memo, useState } from 'react';
import { MAX_EVENTS, startLog, useEvents } from './events.js';

export function EventList() {
  const { count, events } = useEvents();
  if (count === 0) return null;
  const title = count === 1 ? '1 event' : `${count} events`;
  return (
    <section className="events" aria-label="Events of the subscription">
      <header>
        <strong role="status">{title}</strong>
        {count > MAX_EVENTS && <span>(the newest {MAX_EVENTS} are listed)</span>}
        <Button type="button" onClick={startLog}>
          Clear
        </Button>
      </header>
      <ol reversed start={count}>
        {events.map((event) => (
          <Event key={event.number} event={event} />
        ))}
      </ol>
    </section>
  );
}

const Event = memo(function Event({ event: { number, receivedAt, response } }) {
  const [isOpen, setIsOpen] = useState(false);
  const failed = Boolean(response.errors);
  return (
    <li className={failed ? 'failed' : undefined}>
      <details onToggle={({ currentTarget }) => setIsOpen(currentTarget.open)}>
        <summary>
          <span className="event-number">#{number}</span> <time dateTime={receivedAt.toISOString()}>{time(receivedAt)}</time>{' '}
          <code>{JSON.stringify(failed ? response.errors : response.data)}</code>
        </summary>
        {isOpen && <pre>{JSON.stringify(response, null, 2)}</pre>}
      </details>
    </li>
  );
});

/** Local time with milliseconds, such as 14:05:09.123. */
function time(date) {
  return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
}
