/**
 * Apollo Client 4: queries and mutations that work offline, and live updates of its cache.
 * @packageDocumentation
 */

import { ApolloLink, Observable, type ApolloClient, type FieldPolicy, type Reference, type TypePolicies } from '@apollo/client';
import type { OfflineClient } from './client.js';
import { followItems, isReady, whenReady } from './follow.js';
import { NotLocal } from './lists.js';
import { localOperation, scalarsOf, type Data, type LocalOperation } from './local.js';

/** How a link is made. */
export interface SnapnoteLinkOptions {
  client: OfflineClient;
  /** Called with each operation that the service must answer, and why. Use it during development to find out what does not work offline. */
  onRemote?: (operationName: string | undefined, reason: string) => void;
}

/**
 * A link that answers queries from the client's items, and stores mutations in its outbox. It passes an operation to the next link if the
 * client does not keep everything that the operation needs. Call {@link followChanges} to update the cache after changes.
 *
 * @example
 * const link = ApolloLink.from([snapnoteLink({ client }), new HttpLink({ uri: url, fetch: authorizedFetch(session) })]);
 * const apollo = new ApolloClient({ link, cache: new InMemoryCache({ typePolicies }), defaultOptions });
 * followChanges(apollo, client);
 */
export function snapnoteLink({ client, onRemote }: SnapnoteLinkOptions): ApolloLink {
  return new ApolloLink((operation, forward) => {
    let local: LocalOperation;
    try {
      local = localOperation(client, operation.query, operation.variables);
    } catch (error) {
      if (!(error instanceof NotLocal)) throw error;
      onRemote?.(operation.operationName, error.message);
      return forward(operation);
    }
    return new Observable((observer) => {
      const finish = (data: Data) => {
        observer.next({ data });
        observer.complete();
      };
      if (local.kind === 'query') return whenReady(client, () => finish(local.read()));
      local.run().then(finish, (error: unknown) => observer.error(error));
      return undefined;
    });
  });
}

/** Queries that components watch show the cache at once, and then what is newer: changes that happened while no component watched them. */
export const defaultOptions = { watchQuery: { fetchPolicy: 'cache-and-network' } } as const;

/**
 * Applies each change of the client's items to the cache: changes of this user, of other tabs, and of other devices. Items in the cache are
 * updated, and deleted ones are evicted. Active queries that {@link snapnoteLink} answers are computed again. Other active queries are
 * fetched again while the client is connected, at most once per second. Returns a function that ends this.
 */
export function followChanges(apollo: ApolloClient, client: OfflineClient): () => void {
  const { cache } = apollo;
  const active = () =>
    [...apollo.getObservableQueries()].map((query) => {
      const { query: document, variables, options } = query;
      return { query, document, variables, isCached: options.fetchPolicy !== 'no-cache', read: readOf(client, document, variables) };
    });
  return followItems(
    client,
    (items, removed) => {
      if (!isReady(client)) return;
      cache.batch({
        update: () => {
          const idOf = ({ type, id }: { type: string; id: string }) => cache.identify({ __typename: type, id })!;
          for (const item of removed) cache.evict({ id: idOf(item) });
          for (const item of items) {
            const values = scalarsOf(item);
            cache.modify({ id: idOf(item), fields: (before, { fieldName }) => (fieldName in values ? values[fieldName] : before) });
          }
          for (const { query, document, variables, isCached, read } of active()) {
            if (read && isCached) cache.writeQuery({ query: document, variables, data: read() });
            else if (read) query.refetch().catch(() => {});
          }
        },
      });
      if (removed.length) cache.gc();
    },
    () => {
      for (const { query, read } of active()) if (!read) query.refetch().catch(() => {});
    },
  );
}

function readOf(client: OfflineClient, ...[document, variables]: [Parameters<typeof localOperation>[1], object]): (() => Data) | undefined {
  try {
    const local = localOperation(client, document, variables);
    return local.kind === 'query' ? local.read : undefined;
  } catch (error) {
    if (error instanceof NotLocal) return undefined;
    throw error;
  }
}

/** A connection in the cache. */
interface Connection {
  readonly nodes?: readonly Reference[];
  readonly edges?: readonly { readonly node: Reference }[];
  readonly pageInfo?: Readonly<Record<string, unknown>>;
}

/** Joins pages. An item that moved to another page in the meantime is listed once. */
const pages: FieldPolicy<Connection> = {
  // Pages of different lists must not be joined.
  keyArgs: ['filter', 'orderBy', 'first', 'last', 'offset'],
  merge(existing, incoming, { args }) {
    const isAfter = Boolean(args?.['after']);
    if (!existing || (!isAfter && !args?.['before'])) return incoming;
    const join = <E>(before: readonly E[] | undefined, added: readonly E[] | undefined, ref: (entry: E) => string) => {
      if (!before || !added) return added ?? before;
      const refs = new Set(added.map(ref));
      const kept = before.filter((entry) => !refs.has(ref(entry)));
      return isAfter ? [...kept, ...added] : [...added, ...kept];
    };
    const [from, to] = [existing.pageInfo, incoming.pageInfo];
    const start = { startCursor: from?.['startCursor'], hasPreviousPage: from?.['hasPreviousPage'] };
    const end = { endCursor: from?.['endCursor'], hasNextPage: from?.['hasNextPage'] };
    const nodes = join(existing.nodes, incoming.nodes, (node) => node.__ref);
    const edges = join(existing.edges, incoming.edges, ({ node }) => node.__ref);
    return { ...incoming, ...(nodes && { nodes }), ...(edges && { edges }), ...(to && { pageInfo: { ...to, ...(isAfter ? start : end) } }) };
  },
};

/**
 * Policies for `InMemoryCache`: pages that `fetchMore` reads with `after` or `before` are joined to one list. Items are identified by
 * their type and id, which is the default of Apollo Client.
 */
export const typePolicies: TypePolicies = {
  Query: { fields: { courses: pages, documents: pages, tasks: pages, tags: pages } },
  Course: { fields: { documents: pages, tasks: pages } },
  Tag: { fields: { documents: pages, tasks: pages } },
};
