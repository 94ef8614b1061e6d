// A service in memory with the rules of SnapNote that the client depends on, and faults that tests choose.

import type { ItemFragment } from '../src/generated.js';
import { newId } from '../src/items.js';

type Input = Record<string, unknown> & { id: string; version?: number; ids: string[]; name?: string };
type Raw = Omit<ItemFragment, 'version' | 'status'> & { version: number; status: string } & Record<string, unknown>;

interface LoggedChange {
  action: string;
  itemId: string;
  version: number;
}

export interface Request {
  readonly name: string;
  readonly variables: { readonly input: Input; readonly after?: string | null; readonly refreshToken?: string };
  readonly authorization: string | null;
  readonly query?: string;
}

const error = (code: string, field: string[] | null = null) => ({ code, field, message: code });
/** A failure of a whole request. */
export class Failure extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}
/** The network breaks before a response arrives. */
export const broken = () => new TypeError('fetch failed');

export class FakeService {
  readonly items = new Map<string, Raw>();
  readonly changes: LoggedChange[] = [];
  /** The names of all operations, in the order of their arrival. */
  readonly operations: string[] = [];
  private readonly everUsed = new Set<string>();
  private readonly feeds = new Set<() => void>();
  private epoch = 'e1';
  private generation = 1;
  /** Access tokens that the service accepts. */
  readonly accepted = new Set<string>();
  lifetimeSeconds = 900;
  user = 'user';

  /** Replaced by tests: what happens to a request. By default it is executed, and its response arrives. */
  handle: (request: Request, execute: () => unknown) => Promise<unknown> = async (_, execute) => execute();

  readonly fetch = async (_url: unknown, init: { body: string; headers: Record<string, string>; signal: AbortSignal }): Promise<Response> => {
    const { query, variables } = JSON.parse(init.body) as { query: string; variables: Request['variables'] };
    const name = /^\w+ (\w+)/.exec(query)?.[1] ?? '';
    const request = { name, variables, query, authorization: init.headers['authorization'] ?? null };
    this.operations.push(name);
    init.signal.throwIfAborted();
    const aborted = new Promise((_, reject) => init.signal.addEventListener('abort', () => reject(init.signal.reason)));
    try {
      const work = this.handle(request, () => structuredClone(this.execute(request)));
      work.catch(() => {});
      return Response.json({ data: await Promise.race([work, aborted]) });
    } catch (failure) {
      if (failure instanceof Failure) return Response.json({ errors: [{ message: failure.code, extensions: { code: failure.code } }] });
      throw failure;
    }
  };

  /** The WebSocket class of clients. */
  get webSocket() {
    const service = this;
    return class extends FakeSocket {
      constructor() {
        super(service);
      }
    };
  }

  /** Ends the subscriptions of all clients. */
  disconnect(): void {
    for (const socket of FakeSocket.open) if (socket.service === this) socket.close(1006);
  }

  /** All cursors expire. */
  expireCursors(): void {
    this.epoch += '+';
  }

  cursor(): string {
    return `${this.epoch}:${this.changes.length}`;
  }

  changesAfter(cursor: string): number {
    const [epoch, at] = cursor.split(':');
    if (epoch !== this.epoch) throw new Failure('CURSOR_EXPIRED');
    return Number(at);
  }

  event(index: number) {
    const change = this.changes[index]!;
    return structuredClone({ ...change, cursor: `${this.epoch}:${index + 1}`, item: this.shown(change.itemId) });
  }

  follow(listener: () => void): () => void {
    this.feeds.add(listener);
    return () => this.feeds.delete(listener);
  }

  /** Does what another device does. */
  other(name: string, input: Partial<Input>): Record<string, unknown> {
    const { result } = this.execute({ name, variables: { input: input as Input }, authorization: 'other' }) as { result: Record<string, unknown> };
    return result;
  }

  createTask(fields: object = {}): string {
    const id = newId();
    this.other('CreateTask', { id, title: 'T', ...fields });
    return id;
  }

  /** The changes of an item, for example `CREATED UPDATED`. */
  history(id: string): string {
    return this.changes.filter(({ itemId }) => itemId === id).map(({ action }) => action).join(' ');
  }

  field(id: string, field: string): unknown {
    return this.items.get(id)?.[field];
  }

  private log(action: string, id: string): void {
    const item = this.items.get(id)!;
    this.changes.push({ action, itemId: id, version: action === 'DELETED' ? item.version : ++item.version });
    if (action === 'DELETED') this.items.delete(id);
    // The feed may report a change before or after its response.
    for (const feed of [...this.feeds]) queueMicrotask(feed);
  }

  private tagsOf(tags: string[] = []): { id: string }[] {
    return tags.filter((id) => this.items.get(id)?.status === 'ACTIVE').map((id) => ({ id }));
  }

  private shown(id: string): Raw | null {
    const item = this.items.get(id);
    return item ? { ...item, tags: this.tagsOf(item['tagIds'] as string[]) } : null;
  }

  private execute({ name, variables, authorization, query = '' }: Request): unknown {
    if (name === 'Refresh' || name.startsWith('SignIn') || name.startsWith('SignUp')) return this.tokens(name, variables.refreshToken);
    if (authorization !== 'other' && !this.accepted.has(authorization?.slice('Bearer '.length) ?? '')) throw new Failure('UNAUTHENTICATED');
    const { input } = variables;
    if (name === 'Cursor') return { changesCursor: this.cursor() };
    if (name === 'Changes') return this.page(variables.after!);
    if (name === 'Current') return { nodes: (variables as unknown as { ids: string[] }).ids.map((id) => this.shown(id)) };
    if (name.startsWith('All')) return this.list(name.slice('All'.length), query.includes('status: null'));
    const [, verb, type] = /^(Create|Update|Trash|Restore|Delete)(\w+)$/.exec(name)!;
    if (verb === 'Create') return { result: this.create(type!, input) };
    if (verb === 'Update') return { result: this.update(input) };
    return { result: this.move(verb!, input.ids) };
  }

  private list(types: string, withTrash: boolean) {
    const type = types.slice(0, -1);
    const isListed = (item: Raw) => item.__typename === type && (withTrash || item.status === 'ACTIVE');
    const nodes = [...this.items.values()].filter(isListed).map(({ id }) => this.shown(id));
    return { list: { nodes, pageInfo: { hasNextPage: false, endCursor: null } } };
  }

  private page(after: string) {
    const start = this.changesAfter(after);
    const end = Math.min(start + 100, this.changes.length);
    const nodes = Array.from({ length: end - start }, (_, index) => this.event(start + index));
    return { changes: { nodes, pageInfo: { hasNextPage: end < this.changes.length, endCursor: `${this.epoch}:${end}` } } };
  }

  private create(type: string, { id, ...fields }: Input) {
    const existing = this.items.get(id);
    if (existing) return { item: this.shown(id), userErrors: [] };
    if (this.everUsed.has(id)) return { item: null, userErrors: [error('TAKEN', ['input', 'id'])] };
    if (fields['title'] === ' ') return { item: null, userErrors: [error('BLANK', ['input', 'title'])] };
    const isTaken = [...this.items.values()].some((tag) => tag.__typename === 'Tag' && tag['name'] === fields.name);
    if (type === 'Tag' && isTaken) return { item: null, userErrors: [error('TAKEN', ['input', 'name'])] };
    const defaults = { description: null, courseId: null, completed: false, priority: 'NORMAL', dueAt: null, dueOn: null, position: null, color: null };
    const item = { ...defaults, tagIds: [], ...fields, __typename: type, id, version: 0, status: 'ACTIVE', trashedWith: null } as unknown as Raw;
    this.items.set(id, item);
    this.everUsed.add(id);
    this.log('CREATED', id);
    return { item: this.shown(id), userErrors: [] };
  }

  private update({ id, version, ...fields }: Input) {
    const item = this.items.get(id);
    if (!item) return { item: null, userErrors: [error('NOT_FOUND', ['input', 'id'])] };
    if (item.status === 'TRASH') return { item: null, userErrors: [error('IN_TRASH', ['input', 'id'])] };
    if (fields['title'] === ' ') return { item: null, userErrors: [error('BLANK', ['input', 'title'])] };
    if (version !== undefined && version !== item.version) return { item: this.shown(id), userErrors: [error('CONFLICT', ['input', 'version'])] };
    Object.assign(item, fields);
    this.log('UPDATED', id);
    return { item: this.shown(id), userErrors: [] };
  }

  private move(verb: string, ids: string[]) {
    const userErrors = ids.filter((id) => !this.items.has(id)).map(() => error('NOT_FOUND', ['input', 'ids', '0']));
    if (userErrors.length) return { items: null, deletedIds: null, userErrors };
    for (const id of ids) {
      const item = this.items.get(id)!;
      if (verb === 'Delete') this.log('DELETED', id);
      else if (item.status !== (verb === 'Trash' ? 'TRASH' : 'ACTIVE')) {
        item.status = verb === 'Trash' ? 'TRASH' : 'ACTIVE';
        this.log(verb === 'Trash' ? 'TRASHED' : 'RESTORED', id);
      }
    }
    return { items: ids.map((id) => this.shown(id)).filter(Boolean), deletedIds: verb === 'Delete' ? ids : null, userErrors: [] };
  }

  /** `r1` is the first refresh token. The last one that was replaced returns the same successor. */
  private tokens(name: string, refreshToken?: string) {
    const failed = { result: { accessToken: null, refreshToken: null, userErrors: [error('INVALID_TOKEN')] } };
    if (name === 'Refresh') {
      if (refreshToken === `r${this.generation}`) this.generation += 1;
      else if (refreshToken !== `r${this.generation - 1}`) return failed;
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = { iat: now, exp: now + this.lifetimeSeconds, sub: this.user, generation: this.generation };
    const accessToken = `header.${btoa(JSON.stringify(claims))}.signature`;
    this.accepted.add(accessToken);
    return { result: { accessToken, refreshToken: `r${this.generation}`, userErrors: [] } };
  }
}

/** Something that happens when a test says so. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((done) => (open = done));
  return { opened, open };
}

/** The next request of this name is executed, and its response is lost. */
export function lose(service: FakeService, name: string, isExecuted = true): void {
  const { handle } = service;
  service.handle = async (request, execute) => {
    if (request.name !== name) return handle(request, execute);
    service.handle = handle;
    if (isExecuted) execute();
    throw broken();
  };
}

/** The responses of this name wait. */
export function hold(service: FakeService, name: string) {
  const [arrived, released] = [gate(), gate()];
  service.handle = async (request, execute) => {
    const response = execute();
    if (request.name !== name) return response;
    arrived.open();
    await released.opened;
    return response;
  };
  return { arrived: arrived.opened, release: released.open };
}

/** A socket that speaks graphql-transport-ws, with one subscription. */
class FakeSocket {
  static readonly open = new Set<FakeSocket>();
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readyState = 0;
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: (event: { code: number; reason: string }) => void;
  onerror?: (event: unknown) => void;
  private unfollow = () => {};

  constructor(readonly service: FakeService) {
    FakeSocket.open.add(this);
    queueMicrotask(() => {
      if (this.readyState !== 0) return;
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text: string): void {
    const { type, id, payload } = JSON.parse(text) as { type: string; id: string; payload: { variables: { after: string } } };
    if (type === 'connection_init') this.receive({ type: 'connection_ack' });
    if (type === 'ping') this.receive({ type: 'pong' });
    if (type !== 'subscribe') return;
    this.service.operations.push('Feed');
    try {
      let next = this.service.changesAfter(payload.variables.after);
      const push = () => {
        while (this.readyState === 1 && next < this.service.changes.length) {
          this.receive({ type: 'next', id, payload: { data: { changes: this.service.event(next++) } } });
        }
      };
      this.unfollow = this.service.follow(push);
      push();
    } catch (failure) {
      const code = (failure as Failure).code;
      this.receive({ type: 'error', id, payload: [{ message: code, extensions: { code } }] });
    }
  }

  close(code = 1000): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.unfollow();
    FakeSocket.open.delete(this);
    queueMicrotask(() => this.onclose?.({ code, reason: '' }));
  }

  private receive(message: object): void {
    queueMicrotask(() => this.readyState === 1 && this.onmessage?.({ data: JSON.stringify(message) }));
  }
}
