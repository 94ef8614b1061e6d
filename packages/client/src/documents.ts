// All GraphQL documents of the package. `npm run generate` validates them against `schema.graphql` and makes `generated.ts` from them.

/** The fragment `Item`, which selects all fields of an item that the client keeps. */
export const ITEM = /* GraphQL */ `
  fragment Item on Item {
    __typename id version status
    ... on Course { name description color icon }
    ... on CourseItem { title courseId trashedWith { id } tags { id } }
    ... on Document { originalText formattedNote metadata }
    ... on Task { description completed priority dueAt dueOn position }
    ... on Tag { name color }
  }`;

const list = (name: string, field: string) => `query ${name}($first: Int, $after: String) {
    list: ${field}(first: $first, after: $after, filter: { status: null }, orderBy: { field: CREATED_AT, direction: ASC }) {
      nodes { ...Item } pageInfo { hasNextPage endCursor }
    }
  }${ITEM}`;

/** Reads all items of a type, including the trash, in the order of creation, which never changes. */
export const LISTS = [
  list('AllTags', 'tags'),
  list('AllCourses', 'courses'),
  list('AllDocuments', 'documents'),
  list('AllTasks', 'tasks'),
] as const;

export const CURSOR = 'query Cursor { changesCursor }';

const CHANGE = 'cursor action itemId version item { ...Item }';

export const CHANGES = `query Changes($first: Int, $after: String) {
    changes(first: $first, after: $after) { nodes { ${CHANGE} } pageInfo { hasNextPage endCursor } }
  }${ITEM}`;

export const FEED = `subscription Feed($after: String) { changes(after: $after) { ${CHANGE} } }${ITEM}`;

export const CURRENT = `query Current($ids: [ID!]!) { nodes(ids: $ids) { ...Item } }${ITEM}`;

const ERRORS = 'userErrors { code field message }';

const write = (verb: 'Create' | 'Update', type: string) => `mutation ${verb}${type}($input: ${verb}${type}Input!) {
    result: ${verb.toLowerCase()}${type}(input: $input) { item: ${type.toLowerCase()} { ...Item } ${ERRORS} }
  }${ITEM}`;

const move = (verb: string, selection: string) => `mutation ${verb}Items($input: ItemIdsInput!) { result: ${verb.toLowerCase()}Items(input: $input) { ${selection} ${ERRORS} } }`;

export const CREATE = {
  Course: write('Create', 'Course'),
  Document: write('Create', 'Document'),
  Task: write('Create', 'Task'),
  Tag: write('Create', 'Tag'),
} as const;

export const UPDATE = {
  Course: write('Update', 'Course'),
  Document: write('Update', 'Document'),
  Task: write('Update', 'Task'),
  Tag: write('Update', 'Tag'),
} as const;

export const MOVE = {
  trash: move('Trash', 'items { ...Item }') + ITEM,
  restore: move('Restore', 'items { ...Item }') + ITEM,
  delete: move('Delete', 'deletedIds'),
} as const;

const TOKENS = `accessToken refreshToken ${ERRORS}`;

export const REFRESH = `mutation Refresh($refreshToken: String!) {
  result: refreshSession(input: { refreshToken: $refreshToken }) { ${TOKENS} }
}`;
export const SIGN_IN = `mutation SignIn($input: SignInInput!) { result: signIn(input: $input) { ${TOKENS} } }`;
export const SIGN_UP = `mutation SignUp($input: SignUpInput!) { result: signUp(input: $input) { ${TOKENS} } }`;
export const SIGN_OUT = 'mutation SignOut { signOut { signedOut } }';
