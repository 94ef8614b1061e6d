import { useItems, useSyncState } from '@snapnote/client/react';
import { useEffect, useRef, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { useRequest } from '../api/request.ts';
import { graphql } from '../gql/index.ts';
import { Icon } from '../ui/icons.tsx';
import { Empty, Loading, Screen } from '../ui/screen.tsx';
import { SearchResult } from './search-result.tsx';

const SEARCH = graphql(`
  query Search($query: String!) {
    search(query: $query, first: 30) {
      edges {
        cursor
        ...SearchResult
      }
    }
  }
`);

const PAUSE_MS = 200;

/** A value that follows another one after a pause in its changes. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

export default function SearchScreen() {
  const [parameters] = useSearchParams();
  const [, navigate] = useLocation();
  const [query, setQuery] = useState(parameters.get('q') ?? '');
  const settled = useSettled(query);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  useEffect(() => navigate(settled ? `/search?q=${encodeURIComponent(settled)}` : '/search', { replace: true }), [settled, navigate]);
  return (
    <Screen title="Search" className="search-screen">
      <search>
        <div className="search-box">
          <Icon name="search" />
          <input
            ref={input}
            type="search"
            className="input"
            aria-label="Search notes, tasks, courses and tags"
            placeholder="Search notes, tasks, courses and tags"
            maxLength={1_000}
            value={query}
            onChange={({ target }) => setQuery(target.value)}
          />
        </div>
      </search>
      {settled.trim() ? <Results query={settled} /> : <Hints />}
    </Screen>
  );
}

function Hints() {
  return (
    <Empty icon="search" title="Find anything you wrote">
      <ul className="hints">
        <li>
          <code>"row rank"</code> finds the exact phrase.
        </li>
        <li>
          <code>matrix -rank</code> leaves out a word.
        </li>
        <li>
          <code>matrix OR tensor</code> finds either word.
        </li>
        <li>Misspelled and unfinished words are found, too.</li>
      </ul>
    </Empty>
  );
}

function Results({ query }: { query: string }) {
  const { status } = useSyncState();
  // Searches again when an item has changed.
  const [notes, tasks] = [useItems('Document'), useItems('Task')];
  const versions = [...notes, ...tasks].reduce((sum, { version }) => sum + version, 0);
  const { data, error, isLoading } = useRequest(SEARCH, status === 'offline' ? null : { query }, versions);
  if (status === 'offline') {
    return (
      <Empty icon="search" title="Search needs a connection.">
        <p>Your courses, notes and tasks are available offline.</p>
      </Empty>
    );
  }
  if (error) return <p className="form-problem" role="alert">{error}</p>;
  if (!data) return <Loading label="Searching" />;
  const { edges } = data.search;
  return (
    <section aria-label="Results" aria-busy={isLoading}>
      <p className="muted" role="status">
        {edges.length === 0 ? `Nothing matches “${query}”.` : edges.length === 1 ? '1 result' : `${edges.length} results`}
      </p>
      <ol className="results">
        {edges.map((edge) => (
          <SearchResult key={edge.cursor} edge={edge} />
        ))}
      </ol>
    </section>
  );
}
