/**
 * urql: queries and mutations that work offline, live results, and keys for Graphcache.
 * @packageDocumentation
 */

import { CombinedError, type Exchange, type Operation, type OperationResult } from '@urql/core';
import { filter, fromPromise, make, map, merge, mergeMap, never, pipe, share, takeUntil, tap, type Source } from 'wonka';
import type { OfflineClient } from './client.js';
import { followItems, whenReady } from './follow.js';
import { NotLocal } from './lists.js';
import { localOperation, type Data, type LocalOperation } from './local.js';

/** How an exchange is made. */
export interface SnapnoteExchangeOptions {
  client: OfflineClient;
  /** Called with each operation that the service must answer, and why. Use it during development to find out what does not work offline. */
  onRemote?: (operation: Operation, reason: string) => void;
}

/**
 * An exchange that answers queries from the client's items, and stores mutations in its outbox. The results of queries follow each change: of
 * this user, of other tabs, and of other devices. It passes an operation to the next exchange if the client does not keep everything that the
 * operation needs. Active queries of these are fetched again after changes while the client is connected, at most once per second.
 *
 * Put it before the cache: the client's items are the cache of the operations that it answers.
 *
 * @example
 * new Client({
 *   url, fetch: authorizedFetch(session), preferGetMethod: false, requestPolicy: 'cache-and-network',
 *   exchanges: [snapnoteExchange({ client }), cacheExchange(graphcacheConfig), fetchExchange],
 * })
 */
export function snapnoteExchange({ client, onRemote }: SnapnoteExchangeOptions): Exchange {
  return ({ client: urql, forward }) => {
    const remote = new Map<number, Operation>();
    const refetch = () => {
      for (const operation of remote.values()) {
        urql.reexecuteOperation(urql.createRequestOperation('query', operation, { ...operation.context, requestPolicy: 'network-only' }));
      }
    };
    followItems(client, () => {}, refetch);
    /** Makes a result of a running query again. */
    const running = new Map<number, () => void>();

    const localOf = (operation: Operation): LocalOperation | undefined => {
      if (operation.kind !== 'query' && operation.kind !== 'mutation') return undefined;
      try {
        return localOperation(client, operation.query, operation.variables as object);
      } catch (error) {
        if (!(error instanceof NotLocal)) throw error;
        onRemote?.(operation, error.message);
        return undefined;
      }
    };

    return (operations) => {
      const all = pipe(
        operations,
        map((operation) => ({ operation, local: localOf(operation) })),
        share,
      );
      const answers = pipe(
        all,
        mergeMap(({ operation, local }): Source<OperationResult> => {
          if (!local) return never as Source<never>;
          if (local.kind === 'mutation') return fromPromise(outcome(operation, local.run()));
          const again = running.get(operation.key);
          if (again) {
            again();
            return never as Source<never>;
          }
          const isTeardown = (other: Operation) => other.kind === 'teardown' && other.key === operation.key;
          const end = pipe(all, filter(({ operation: other }) => isTeardown(other)));
          return pipe(live(client, operation, local.read, running), takeUntil(end));
        }),
      );
      const rest = pipe(
        all,
        filter(({ local }) => !local),
        map(({ operation }) => operation),
        tap((operation) => {
          if (operation.kind === 'query') remote.set(operation.key, operation);
          if (operation.kind === 'teardown') remote.delete(operation.key);
        }),
        forward,
      );
      return merge([answers, rest]);
    };
  };
}

/** The results of a query that is answered from the client's items. */
function live(client: OfflineClient, operation: Operation, read: () => Data, running: Map<number, () => void>): Source<OperationResult> {
  return make(({ next }) => {
    let from: unknown;
    let last: string | undefined;
    let stopWaiting = () => {};
    const show = (data = read()) => {
      from = client.items();
      last = JSON.stringify(data);
      next(resultOf(operation, { data }));
    };
    const unsubscribe = client.subscribe(() => {
      if (last === undefined || client.items() === from) return;
      from = client.items();
      const data = read();
      if (JSON.stringify(data) !== last) show(data);
    });
    running.set(operation.key, () => last !== undefined && show());
    let isEnded = false;
    // A source of Wonka must not emit before it has started.
    queueMicrotask(() => {
      if (!isEnded) stopWaiting = whenReady(client, () => show());
    });
    return () => {
      isEnded = true;
      running.delete(operation.key);
      stopWaiting();
      unsubscribe();
    };
  });
}

async function outcome(operation: Operation, run: Promise<Data>): Promise<OperationResult> {
  try {
    return resultOf(operation, { data: await run });
  } catch (error) {
    return resultOf(operation, { error: new CombinedError({ networkError: error as Error }) });
  }
}

function resultOf(operation: Operation, result: Pick<OperationResult<Data>, 'data'> | { error: CombinedError }): OperationResult {
  return { operation, stale: false, hasNext: false, data: undefined, ...result };
}

/** Types without an id. */
const EMBEDDED =
  'Account AuditEvent AuditEventConnection AuditEventEdge AuthPayload Change ChangeConnection ChangeEdge CourseConnection CourseEdge ' +
  'CoursePayload DeletePayload DocumentConnection DocumentEdge DocumentPayload DocumentsBatchPayload Highlight HttpHeader Image ' +
  'ImageUploadPayload ItemConnection ItemEdge ItemsPayload PageInfo Profile RequestPayload SearchConnection SearchEdge SessionsPayload ' +
  'SignOutPayload TagConnection TagEdge TagPayload TaskConnection TaskEdge TaskPayload TasksBatchPayload TasksPayload TextRange Thumbnail ' +
  'Usage UserConnection UserEdge UserError UserPayload';

/**
 * The configuration of Graphcache: `cacheExchange(graphcacheConfig)`. Objects without an id are parts of the objects that contain them. To
 * join the pages of a list, add `relayPagination()` as its resolver.
 */
export const graphcacheConfig: {
  /** How Graphcache identifies objects: those of these types have no key of their own. */
  readonly keys: Readonly<Record<string, () => null>>;
} = {
  keys: Object.fromEntries(EMBEDDED.split(' ').map((type) => [type, () => null])),
};
