/**
 * An offline-capable, live client of SnapNote.
 *
 * Start with {@link OfflineClient} and {@link Session}. `docs/sync.md` of the service explains the design.
 * @packageDocumentation
 */
export { OfflineClient, Rejected, type ClientOptions } from './client.js';
export { authorizedFetch } from './fetch.js';
export { IndexedDbStore } from './indexeddb.js';
export { ITEM } from './documents.js';
export { itemOf, newId, same, type Fields, type Item, type ItemOf, type ItemPayload, type ItemType, type NewFields, type Values } from './items.js';
export type { Conflict, Entry, Update } from './outbox.js';
export { inOrder, positionsOf } from './positions.js';
export { RequestFailed, type RemoteOptions, type UserError } from './remote.js';
export {
  IndexedDbSessionStore,
  MemorySessionStore,
  Session,
  type SessionOptions,
  type SessionState,
  type SessionStore,
  type Tokens,
} from './session.js';
export { apply, MemoryStore, type Batch, type Commit, type Rejection, type State, type Store } from './store.js';
export type { Status } from './tabs.js';
export type { ItemStatus, SignInInput, SignUpInput, TaskPriority, UserErrorCode } from './generated.js';
