// Answers GraphQL operations from a client's items and its outbox, for adapters of GraphQL clients. It has no schema: it knows the fields
// that the client keeps, and rejects an operation that needs anything else before it answers any part of it.

import type { DocumentNode, FieldNode, FragmentDefinitionNode, OperationDefinitionNode, SelectionNode, SelectionSetNode, ValueNode } from 'graphql';
import type { OfflineClient } from './client.js';
import type { Fields, Item, ItemType, NewFields, Values } from './items.js';
import { inputOf, newId } from './items.js';
import { filterOf, listOf, NotLocal, orderOf } from './lists.js';
import { valueOf } from './outbox.js';
import type { UserError } from './remote.js';

/** The data of a response. */
export type Data = Record<string, unknown>;
type View = ReadonlyMap<string, Item>;
type Read<S> = (source: S, view: View) => unknown;
type Test = (item: Item) => boolean;

/** An operation that can be answered without the service. */
export type LocalOperation =
  | { readonly kind: 'query'; readonly read: () => Data }
  | { readonly kind: 'mutation'; readonly run: () => Promise<Data> };

const TYPES: readonly ItemType[] = ['Course', 'Document', 'Task', 'Tag'];
const ABSTRACT: Readonly<Record<string, readonly string[]>> = { Node: TYPES, Item: TYPES, CourseItem: ['Document', 'Task'] };
const SCALARS: Readonly<Record<ItemType, readonly string[]>> = {
  Course: ['name', 'description', 'color', 'icon'],
  Document: ['courseId', 'title', 'originalText', 'formattedNote', 'metadata'],
  Task: ['courseId', 'title', 'description', 'completed', 'priority', 'position'],
  Tag: ['name', 'color'],
};
const REQUIRED: Readonly<Record<ItemType, readonly string[]>> = {
  Course: ['name'],
  Document: ['courseId', 'title', 'originalText', 'formattedNote'],
  Task: ['title'],
  Tag: ['name'],
};
const ROOTS: Readonly<Record<string, ItemType>> = { courses: 'Course', documents: 'Document', tasks: 'Task', tags: 'Tag' };

/**
 * The operation of a document.
 * @throws {@link NotLocal} if the service must answer it.
 */
export function localOperation(client: OfflineClient, document: DocumentNode, variables: object = {}): LocalOperation {
  const operations = document.definitions.filter((one): one is OperationDefinitionNode => one.kind === 'OperationDefinition');
  const [operation] = operations;
  if (!operation || operations.length > 1) throw new NotLocal('The document must have one operation.');
  const compiler = new Compiler(client, document, operation, variables as Values);
  if (operation.operation === 'query') {
    const read = compiler.query(operation.selectionSet);
    return { kind: 'query', read: () => read(null, client.items()) as Data };
  }
  if (operation.operation === 'mutation') return { kind: 'mutation', run: compiler.mutation(operation.selectionSet) };
  throw new NotLocal('Subscriptions need the service.');
}

/** The fields of an item in the API that do not refer to other items. */
export function scalarsOf(item: Item): Values {
  const { id, version, status } = item;
  const dates = item.type === 'Task' ? { dueAt: null, dueOn: null, ...inputOf({ due: item.fields.due }) } : {};
  return { id, version, status, ...Object.fromEntries(SCALARS[item.type].map((field) => [field, valueOf(item, field)])), ...dates };
}

/** The result of a mutation: items, or errors. */
interface Payload {
  readonly items: readonly Item[];
  readonly ids: readonly string[];
  readonly userErrors: readonly UserError[];
}

interface Page {
  readonly all: readonly Item[];
  readonly page: readonly Item[];
  readonly offset: number;
}

class Compiler {
  private readonly fragments = new Map<string, FragmentDefinitionNode>();
  private readonly variables: Values;

  constructor(private readonly client: OfflineClient, document: DocumentNode, operation: OperationDefinitionNode, variables: Values) {
    for (const one of document.definitions) if (one.kind === 'FragmentDefinition') this.fragments.set(one.name.value, one);
    this.variables = variables;
    const defaults = (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) => {
      return defaultValue ? [[variable.name.value, this.value(defaultValue)] as const] : [];
    });
    this.variables = { ...Object.fromEntries(defaults), ...variables };
  }

  query(selection: SelectionSetNode): Read<null> {
    return this.object([selection], 'Query', (name, nodes) => {
      const list = ROOTS[name];
      if (list) return this.connection(list, nodes);
      const type = TYPES.find((one) => one.toLowerCase() === name);
      if (!type) throw new NotLocal(`Query.${name} is not kept by the client.`);
      const { id } = this.arguments(nodes, ['id']);
      const read = this.items(nodes, [type]);
      return (_, view) => {
        const item = view.get(String(id));
        return item?.type === type ? read(item, view) : null;
      };
    });
  }

  mutation(selection: SelectionSetNode): () => Promise<Data> {
    const fields = [...this.collect([selection], 'Mutation')].map(([key, nodes]) => {
      const name = nodes[0]!.name.value;
      return [key, name === '__typename' ? async () => 'Mutation' : this.write(name, nodes)] as const;
    });
    return async () => {
      const data: Data = {};
      for (const [key, run] of fields) data[key] = await run();
      return data;
    };
  }

  // ---- Selections.

  /** Compiles a selection of an object type. All fields are checked, also those of lists that happen to be empty. */
  private object<S>(sets: readonly SelectionSetNode[], type: string, field: (name: string, nodes: readonly FieldNode[]) => Read<S>): Read<S> {
    const fields = [...this.collect(sets, type)].map(([key, nodes]) => {
      const name = nodes[0]!.name.value;
      return [key, name === '__typename' ? () => type : field(name, nodes)] as const;
    });
    return (source, view) => Object.fromEntries(fields.map(([key, read]) => [key, read(source, view)]));
  }

  /** The fields of a type by their keys in the response. */
  private collect(sets: readonly SelectionSetNode[], type: string, found = new Map<string, FieldNode[]>()): Map<string, FieldNode[]> {
    for (const selection of sets.flatMap((set) => set.selections)) {
      if (!this.isIncluded(selection)) continue;
      if (selection.kind === 'Field') {
        const key = (selection.alias ?? selection.name).value;
        found.set(key, [...(found.get(key) ?? []), selection]);
        continue;
      }
      const fragment = selection.kind === 'FragmentSpread' ? this.fragments.get(selection.name.value) : selection;
      if (!fragment) throw new NotLocal('A fragment is missing.');
      const condition = fragment.typeCondition?.name.value ?? type;
      if (condition === type || ABSTRACT[condition]?.includes(type)) this.collect([fragment.selectionSet], type, found);
    }
    return found;
  }

  private isIncluded({ directives = [] }: SelectionNode): boolean {
    return directives.every((directive) => {
      const { value } = directive.name;
      const condition = () => this.value(directive.arguments![0]!.value);
      return value === 'include' ? condition() === true : value === 'skip' ? condition() === false : true;
    });
  }

  private sets(nodes: readonly FieldNode[]): SelectionSetNode[] {
    return nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  }

  /** The selection of a field that returns items of these types. */
  private items(nodes: readonly FieldNode[], types: readonly ItemType[]): Read<Item | undefined> {
    const reads = new Map(types.map((type) => [type, this.object<Item>(this.sets(nodes), type, (name, inner) => this.field(type, name, inner))]));
    return (item, view) => (item && reads.get(item.type)?.(item, view)) ?? null;
  }

  private field(type: ItemType, name: string, nodes: readonly FieldNode[]): Read<Item> {
    const isScalar = ['id', 'version', 'status', ...SCALARS[type], ...(type === 'Task' ? ['dueAt', 'dueOn'] : [])].includes(name);
    if (isScalar) return (item) => scalarsOf(item)[name];
    if (type === 'Task' || type === 'Document') {
      if (name === 'tags') {
        this.arguments(nodes, []);
        const read = this.items(nodes, ['Tag']);
        return (item, view) => {
          const tags = (valueOf(item, 'tagIds') as string[]).flatMap((id) => view.get(id) ?? []);
          return tags.sort(orderOf('Tag', { field: 'NAME' })).map((tag) => read(tag, view));
        };
      }
      if (name === 'course' || name === 'trashedWith') {
        const read = this.items(nodes, ['Course']);
        return (item, view) => read(view.get(String(name === 'course' ? valueOf(item, 'courseId') : item.trashedWith)), view);
      }
    } else {
      const isWithin = (item: Item): Test =>
        type === 'Course' ? (other) => valueOf(other, 'courseId') === item.id : (other) => ((valueOf(other, 'tagIds') ?? []) as string[]).includes(item.id);
      const list = name === 'tasks' || name === 'documents' ? ROOTS[name] : undefined;
      if (list) return this.connection(list, nodes, isWithin);
      const count = (counted: ItemType): Read<Item> => (item, view) =>
        [...view.values()].filter((other) => other.type === counted && isActive(other) && isWithin(item)(other) && valueOf(other, 'completed') !== true).length;
      if (name === 'openTaskCount') return count('Task');
      if (name === 'documentCount') return count('Document');
    }
    throw new NotLocal(`${type}.${name} is not kept by the client.`);
  }

  private connection<S>(type: ItemType, nodes: readonly FieldNode[], isWithin: (source: S) => Test = () => () => true): Read<S> {
    const { filter, orderBy, first, offset } = this.arguments(nodes, ['filter', 'orderBy', 'first', 'offset']);
    const matches = filterOf(type, { status: 'ACTIVE', ...(filter as Values | null) });
    const order = orderOf(type, orderBy);
    if (Number(first ?? 1) < 1 || Number(offset ?? 0) < 0) throw new NotLocal('The service explains invalid arguments.');
    const start = Number(offset ?? 0);
    const end = typeof first === 'number' ? start + first : Number.POSITIVE_INFINITY;
    const page = this.object<Page>(this.sets(nodes), `${type}Connection`, (name, inner) => {
      const read = () => this.items(inner, [type]);
      switch (name) {
        case 'totalCount':
          return ({ all }) => all.length;
        case 'nodes':
          return each(({ page: shown }: Page) => shown, read());
        case 'edges': {
          const edge = this.object<Item>(this.sets(inner), `${type}Edge`, (field, node) => {
            if (field === 'node') return this.items(node, [type]);
            throw new NotLocal('Cursors need the service.');
          });
          return each(({ page: shown }: Page) => shown, edge);
        }
        case 'pageInfo':
          return this.object<Page>(this.sets(inner), 'PageInfo', (field) => {
            if (field === 'hasNextPage') return ({ all }) => all.length > end;
            if (field === 'hasPreviousPage') return () => start > 0;
            throw new NotLocal('Cursors need the service.');
          });
        default:
          throw new NotLocal(`${type}Connection.${name} is unknown.`);
      }
    });
    return (source, view) => {
      const within = isWithin(source);
      const all = [...view.values()].filter((item) => item.type === type && matches(item) && within(item)).sort(order);
      return page({ all, page: all.slice(start, end), offset: start }, view);
    };
  }

  // ---- Mutations.

  private write(name: string, nodes: readonly FieldNode[]): () => Promise<unknown> {
    const input = (this.arguments(nodes, ['input'])['input'] ?? {}) as Values;
    const [, verb, typeName] = /^(create|update|trash|restore|delete|complete|reopen)(Course|Document|Task|Tag|Items|Tasks)$/.exec(name) ?? [];
    const type = TYPES.find((one) => one === typeName);
    const isOfOne = verb === 'create' || verb === 'update';
    const isOfTasks = verb === 'complete' || verb === 'reopen';
    const expected = isOfOne ? type !== undefined : typeName === (isOfTasks ? 'Tasks' : 'Items');
    if (!verb || !expected) throw new NotLocal(`Mutation.${name} is not kept in the outbox.`);
    const run = type ? this.writeOne(verb, type, input) : this.writeMany(verb, input);
    const payload = verb === 'delete' ? 'DeletePayload' : type ? `${type}Payload` : `${typeName}Payload`;
    const read = this.object<Payload>(this.sets(nodes), payload, (field, inner) => {
      if (field === 'userErrors') {
        const error = this.object<UserError>(this.sets(inner), 'UserError', (key) => {
          if (key === 'code' || key === 'field' || key === 'message') return (one) => one[key];
          throw new NotLocal(`UserError.${key} is unknown.`);
        });
        return each(({ userErrors }: Payload) => userErrors, error);
      }
      if (type && field === type.toLowerCase()) {
        const one = this.items(inner, [type]);
        return ({ items }, view) => one(items[0], view);
      }
      if (verb === 'delete' && field === 'deletedIds') return ({ ids, userErrors }) => (userErrors.length ? null : ids);
      if (!type && field === (isOfTasks ? 'tasks' : 'items') && verb !== 'delete') {
        const many = each(({ items }: Payload) => items, this.items(inner, isOfTasks ? ['Task'] : TYPES));
        return (result, view) => (result.userErrors.length ? null : many(result, view));
      }
      throw new NotLocal(`${payload}.${field} is unknown.`);
    });
    return async () => read(await run(), this.client.items());
  }

  private writeOne(verb: string, type: ItemType, { id: given, ...input }: Values): () => Promise<Payload> {
    const { dueAt, dueOn, ...rest } = input;
    const unknown = Object.keys(rest).find((field) => !SCALARS[type].includes(field) && !(field === 'tagIds' && (type === 'Task' || type === 'Document')));
    if (unknown) throw new NotLocal(`The input \`${unknown}\` needs the service.`);
    const isDue = dueAt !== undefined || dueOn !== undefined;
    if (isDue && (type !== 'Task' || (dueAt && dueOn))) throw new NotLocal('The due date is invalid.');
    if (verb === 'create' && 'completed' in rest) throw new NotLocal('The service creates open tasks.');
    const isIncomplete = verb === 'create' && REQUIRED[type].some((field) => typeof rest[field] !== 'string');
    if (isIncomplete) throw new NotLocal('The service explains incomplete inputs.');
    const tags = rest['tagIds'] === undefined ? {} : { tagIds: rest['tagIds'] === null ? [] : listOf(rest['tagIds']) };
    const due = dueAt ?? dueOn ?? null;
    // Null clears a due date only if it is of the same kind.
    const keepsDue = ({ dueAt: at, dueOn: on }: Values) => due === null && !(dueAt === null && at !== null) && !(dueOn === null && on !== null);
    const fields = { ...rest, ...tags };
    const id = typeof given === 'string' ? given : newId();
    return async () => {
      const item = this.client.items().get(id);
      if (verb === 'create') {
        await this.client.create(type, Object.fromEntries(Object.entries({ ...fields, due }).filter(([, value]) => value !== null)) as unknown as NewFields<ItemType>, id);
      } else if (item?.type !== type) return failed('NOT_FOUND', ['input', 'id']);
      else if (!isActive(item)) return failed('IN_TRASH', ['input', 'id'], [item]);
      else await this.client.update(type, id, { ...fields, ...(isDue && !keepsDue(scalarsOf(item)) && { due }) } as Partial<Fields[ItemType]>);
      return this.result([id]);
    };
  }

  private writeMany(verb: string, { ids: given, ...rest }: Values): () => Promise<Payload> {
    if (!given || Object.keys(rest).length > 0) throw new NotLocal('The input needs the service.');
    const ids = [...new Set(listOf(given).map(String))];
    const { client } = this;
    const write = (id: string): Promise<void> => {
      if (verb === 'trash' || verb === 'restore' || verb === 'delete') return client[verb](id);
      return client.update('Task', id, { completed: verb === 'complete' });
    };
    return async () => {
      const errors = ids.flatMap((id, index) => {
        const item = client.items().get(id);
        const field = ['input', 'ids', String(index)];
        const isOfTasks = verb === 'complete' || verb === 'reopen';
        if (!item || (isOfTasks && item.type !== 'Task')) return failed('NOT_FOUND', field).userErrors;
        if (verb === 'delete' && isActive(item)) return failed('NOT_IN_TRASH', field).userErrors;
        return isOfTasks && !isActive(item) ? failed('IN_TRASH', field).userErrors : [];
      });
      if (errors.length) return { items: [], ids: [], userErrors: errors };
      const before = client.items();
      await Promise.all(ids.map(write));
      const now = client.items();
      const deleted = verb === 'delete' ? [...before.keys()].filter((id) => !now.has(id)) : ids;
      return this.result(deleted);
    };
  }

  private result(ids: readonly string[]): Payload {
    const view = this.client.items();
    return { items: ids.flatMap((id) => view.get(id) ?? []), ids, userErrors: [] };
  }

  // ---- Arguments.

  private arguments(nodes: readonly FieldNode[], known: readonly string[]): Values {
    const values = (nodes[0]!.arguments ?? []).map(({ name, value }) => [name.value, this.value(value)] as const);
    for (const [name, value] of values) {
      if (value !== undefined && value !== null && !known.includes(name)) throw new NotLocal(`The argument \`${name}\` needs the service.`);
    }
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  }

  private value(node: ValueNode): unknown {
    switch (node.kind) {
      case 'Variable':
        return clean(this.variables[node.name.value]);
      case 'NullValue':
        return null;
      case 'IntValue':
      case 'FloatValue':
        return Number(node.value);
      case 'ListValue':
        return node.values.map((value) => this.value(value));
      case 'ObjectValue':
        return clean(Object.fromEntries(node.fields.map(({ name, value }) => [name.value, this.value(value)])));
      default:
        return node.value;
    }
  }
}

/** Inputs without their undefined fields, which count as omitted. */
function clean(value: unknown): unknown {
  if (!value || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}

function each<S, E>(list: (source: S) => readonly E[], read: Read<E>): Read<S> {
  return (source, view) => list(source).map((one) => read(one, view));
}

function failed(code: UserError['code'], field: readonly string[], items: readonly Item[] = []): Payload {
  const message = `${code}: the client has no item for this change.`;
  return { items, ids: [], userErrors: [{ code, field, message }] };
}

const isActive = (item: Item) => item.status === 'ACTIVE';
