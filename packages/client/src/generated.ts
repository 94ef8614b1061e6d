// Made from schema.graphql and src/documents.ts by `npm run generate`. Do not edit.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** What happened to an item. */
export type ChangeAction =
  /** The item was created. */
  | 'CREATED'
  /** The item was deleted permanently. */
  | 'DELETED'
  /** The item was restored from the trash. */
  | 'RESTORED'
  /** The item was moved to the trash. */
  | 'TRASHED'
  /** The item was updated. */
  | 'UPDATED';

/**
 * A course to create. If you choose the `id` yourself, you can safely repeat the request. A repeated request returns the
 * existing object unchanged. This applies to every create mutation of an item.
 */
export type CreateCourseInput = {
  /** The color: `#RRGGBB`. */
  readonly color?: string | null | undefined;
  /** The description. Maximum 10,000 characters. */
  readonly description?: string | null | undefined;
  /** The icon: an emoji or the name of an icon. Maximum 50 characters. */
  readonly icon?: string | null | undefined;
  /** A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it. */
  readonly id?: string | null | undefined;
  /** The name. 1–255 characters, not blank. */
  readonly name: string;
};

/** A document to create. */
export type CreateDocumentInput = {
  /** The id of the course to put the document into, which must be active. An id that is not a UUID matches nothing. */
  readonly courseId: string;
  /** The excerpt. Maximum 200 characters. By default, the service makes it from the note. */
  readonly excerpt?: string | null | undefined;
  /** The note, in Markdown. May be empty. Limited by the size of the request (1 MiB by default). QUERY_TOO_COMPLEX if the arguments of the request exceed twice that size, counting each use of a variable. */
  readonly formattedNote: string;
  /** A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it. */
  readonly id?: string | null | undefined;
  /** Your app's own data: a JSON object (maximum 64 KiB and 32 levels, default `{}`). */
  readonly metadata?: Record<string, unknown> | null | undefined;
  /** The recognized text. May be empty. Limited by the size of the request (1 MiB by default). QUERY_TOO_COMPLEX if the arguments of the request exceed twice that size, counting each use of a variable. */
  readonly originalText: string;
  /** Seconds that recognition and formatting took. Minimum 0. */
  readonly processingTime?: number | null | undefined;
  /** The ids of the document's tags, which must be active (maximum 20). Duplicates count once. By default, it has none. An id that is not a UUID matches nothing. */
  readonly tagIds?: ReadonlyArray<string> | null | undefined;
  /** The title. 1–500 characters, not blank. */
  readonly title: string;
};

/** A tag to create. */
export type CreateTagInput = {
  /** The color: `#RRGGBB`. */
  readonly color?: string | null | undefined;
  /** A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it. */
  readonly id?: string | null | undefined;
  /** The name. 1–100 characters, not blank. TAKEN if another of your active tags has it, without regard to case. */
  readonly name: string;
};

/** A task to create. */
export type CreateTaskInput = {
  /** The id of the course to put the task into, which must be active. By default, the task is in no course. An id that is not a UUID matches nothing. */
  readonly courseId?: string | null | undefined;
  /** The description. Maximum 1,000 characters. */
  readonly description?: string | null | undefined;
  /** When the task is due. By default, it has no due date. INVALID together with `dueOn`. */
  readonly dueAt?: string | null | undefined;
  /** The date on which the task is due, all day. By default, it has none. INVALID together with `dueAt`. */
  readonly dueOn?: string | null | undefined;
  /** A UUID of your own; the service generates one by default. TAKEN if another of your objects has or had it. */
  readonly id?: string | null | undefined;
  /** The manual sort position: 1–100 printable ASCII characters, compared byte by byte. By default, the task has none. */
  readonly position?: string | null | undefined;
  /** The priority. Must not be null. */
  readonly priority?: TaskPriority | null | undefined;
  /** The ids of the task's tags, which must be active (maximum 20). Duplicates count once. By default, it has none. An id that is not a UUID matches nothing. */
  readonly tagIds?: ReadonlyArray<string> | null | undefined;
  /** The title. 1–200 characters, not blank. */
  readonly title: string;
};

/** The items that a mutation changes: all of them or none. */
export type ItemIdsInput = {
  /** The items' ids (1–100). Duplicates count once. An id that is not a UUID matches nothing. */
  readonly ids: ReadonlyArray<string>;
};

/** Whether an item is active or in the trash. */
export type ItemStatus =
  /** Not in the trash. */
  | 'ACTIVE'
  /** In the trash. It can be restored until the service deletes it permanently (by default after 30 days). */
  | 'TRASH';

/** The credentials of a user. */
export type SignInInput = {
  /** The user's email address, in any spelling that `signUp` treats as the same. */
  readonly email: string;
  /** The user's password. */
  readonly password: string;
};

/** A user who signs up. */
export type SignUpInput = {
  /**
   * The user's email address. Maximum 254 characters, also in UTF-8 with its domain in ASCII (xn--…), and 64 bytes before
   * the `@`. Surrounding whitespace is ignored. INVALID if mail cannot be sent to it: quotes, comments and IP addresses are
   * not supported. Spellings that differ in Unicode normalization (NFC), IDNA or ASCII case are the same address.
   */
  readonly email: string;
  /** The user's name. 1–255 characters, not blank. */
  readonly name: string;
  /** The user's password. 8–128 characters after Unicode normalization (RFC 8265), and not known from leaks. */
  readonly password: string;
};

/** The priority of a task. */
export type TaskPriority =
  /** High priority. */
  | 'HIGH'
  /** Low priority. */
  | 'LOW'
  /** Normal priority, the default. */
  | 'NORMAL';

/**
 * Changes to a course. With a `version`, the item is updated only if it still has that version; otherwise CONFLICT. Omitted
 * fields keep their values. Null clears a field, unless its description forbids null. This applies to every update of an item.
 */
export type UpdateCourseInput = {
  /** The color: `#RRGGBB`. Null clears it. */
  readonly color?: string | null | undefined;
  /** The description. Maximum 10,000 characters. Null clears it. */
  readonly description?: string | null | undefined;
  /** The icon: an emoji or the name of an icon. Maximum 50 characters. Null clears it. */
  readonly icon?: string | null | undefined;
  /** The item's id. An id that is not a UUID matches nothing. */
  readonly id: string;
  /** The name. 1–255 characters. Must not be null. */
  readonly name?: string | null | undefined;
  /** The version that you have seen. Omit it to update any version. */
  readonly version?: number | null | undefined;
};

/** Changes to a document. */
export type UpdateDocumentInput = {
  /** Moves the document to this course, which must be active. Must not be null. An id that is not a UUID matches nothing. */
  readonly courseId?: string | null | undefined;
  /**
   * The excerpt. Maximum 200 characters. If null, the service makes it from the note, now and whenever the
   * note changes.
   */
  readonly excerpt?: string | null | undefined;
  /** The note, in Markdown. May be empty. Must not be null. */
  readonly formattedNote?: string | null | undefined;
  /** The item's id. An id that is not a UUID matches nothing. */
  readonly id: string;
  /** Your app's own data. Replaces the whole object (maximum 64 KiB and 32 levels). Must not be null. */
  readonly metadata?: Record<string, unknown> | null | undefined;
  /** The recognized text. May be empty. Must not be null. */
  readonly originalText?: string | null | undefined;
  /** Seconds that recognition and formatting took. Minimum 0. Null clears it. */
  readonly processingTime?: number | null | undefined;
  /**
   * The ids of the tags that replace the document's active tags. They must be active (maximum 20, unless it has all of them). Duplicates count once. Null removes
   * all active tags. Tags in the trash stay assigned. An id that is not a UUID matches nothing.
   */
  readonly tagIds?: ReadonlyArray<string> | null | undefined;
  /** The title. 1–500 characters. Must not be null. */
  readonly title?: string | null | undefined;
  /** The version that you have seen. Omit it to update any version. */
  readonly version?: number | null | undefined;
};

/** Changes to a tag. They do not change the documents and tasks that have it. */
export type UpdateTagInput = {
  /** The color: `#RRGGBB`. Null clears it. */
  readonly color?: string | null | undefined;
  /** The item's id. An id that is not a UUID matches nothing. */
  readonly id: string;
  /** The name. 1–100 characters. Must not be null. TAKEN if another of your active tags has it, without regard to case. */
  readonly name?: string | null | undefined;
  /** The version that you have seen. Omit it to update any version. */
  readonly version?: number | null | undefined;
};

/** Changes to a task. */
export type UpdateTaskInput = {
  /** Completes (true) or reopens (false) the task. Must not be null. A task that is already completed keeps its `completedAt`. */
  readonly completed?: boolean | null | undefined;
  /** Moves the task to this course, which must be active. Null moves it out of its course. An id that is not a UUID matches nothing. */
  readonly courseId?: string | null | undefined;
  /** The description. Maximum 1,000 characters. Null clears it. */
  readonly description?: string | null | undefined;
  /** When the task is due. Setting it clears `dueOn`. INVALID together with `dueOn`. Null clears it. */
  readonly dueAt?: string | null | undefined;
  /** The date on which the task is due, all day. Setting it clears `dueAt`. INVALID together with `dueAt`. Null clears it. */
  readonly dueOn?: string | null | undefined;
  /** The item's id. An id that is not a UUID matches nothing. */
  readonly id: string;
  /** The manual sort position: 1–100 printable ASCII characters, compared byte by byte. Null clears it. */
  readonly position?: string | null | undefined;
  /** The priority. Must not be null. */
  readonly priority?: TaskPriority | null | undefined;
  /**
   * The ids of the tags that replace the task's active tags. They must be active (maximum 20, unless it has all of them). Duplicates count once. Null removes
   * all active tags. Tags in the trash stay assigned. An id that is not a UUID matches nothing.
   */
  readonly tagIds?: ReadonlyArray<string> | null | undefined;
  /** The title. 1–200 characters. Must not be null. */
  readonly title?: string | null | undefined;
  /** The version that you have seen. Omit it to update any version. */
  readonly version?: number | null | undefined;
};

/** Why an input was rejected. Programs can rely on these codes. */
export type UserErrorCode =
  /** Empty, only whitespace and invisible characters, or null where a value is required. */
  | 'BLANK'
  /** The item has changed since the version that you sent, or keeps changing. The payload contains its current version. */
  | 'CONFLICT'
  /**
   * Not in the required format or range. Or in conflict with another value of the input: `dueAt` with `dueOn`, a tag both to add and
   * to remove, or the id of an earlier entry of the batch.
   */
  | 'INVALID'
  /** The email address or the password is wrong. The response does not reveal which. */
  | 'INVALID_CREDENTIALS'
  /** The token is unknown, used or expired. */
  | 'INVALID_TOKEN'
  /** The item, its present or new course, or a tag in the input is in the trash. */
  | 'IN_TRASH'
  /** The change would leave no active admin. */
  | 'LAST_ADMIN'
  /** You would have more items or bytes than a user may have. `me { usage }` shows the maximums. */
  | 'LIMIT_REACHED'
  /** The object does not exist, or belongs to another user. The response does not reveal which. */
  | 'NOT_FOUND'
  /** The item is not in the trash. Only items in the trash can be deleted permanently. */
  | 'NOT_IN_TRASH'
  /** The email address or the name of an active tag is in use, or the id is or was in use. */
  | 'TAKEN'
  /** The image is too large. Maximum 20 MiB, 20,000 pixels per side and 100 million pixels in total. */
  | 'TOO_LARGE'
  /**
   * Longer than the field's maximum, or more ids, entries or tags than allowed. Lengths are counted in Unicode code points, those
   * of JSON in bytes.
   */
  | 'TOO_LONG'
  /** Shorter than the field's minimum. */
  | 'TOO_SHORT'
  /** The image is not of a supported type: JPEG, PNG, WebP or GIF. */
  | 'UNSUPPORTED_TYPE'
  /** The password is known from leaks or too easy to guess. */
  | 'WEAK_PASSWORD';

export type ChangesQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type ChangesQuery = { readonly changes: { readonly nodes: ReadonlyArray<{ readonly cursor: string, readonly action: ChangeAction, readonly itemId: string, readonly version: number, readonly item:
        | { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
        | { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
        | { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
        | { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
       | null }>, readonly pageInfo: { readonly hasNextPage: boolean, readonly endCursor: string | null } } };

type Item_Course_Fragment = { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus };

type Item_Document_Fragment = { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> };

type Item_Tag_Fragment = { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus };

type Item_Task_Fragment = { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> };

export type ItemFragment =
  | Item_Course_Fragment
  | Item_Document_Fragment
  | Item_Tag_Fragment
  | Item_Task_Fragment
;

export type CreateCourseMutationVariables = Exact<{
  input: CreateCourseInput;
}>;


export type CreateCourseMutation = { readonly result: { readonly item: { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type CreateDocumentMutationVariables = Exact<{
  input: CreateDocumentInput;
}>;


export type CreateDocumentMutation = { readonly result: { readonly item: { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type CreateTaskMutationVariables = Exact<{
  input: CreateTaskInput;
}>;


export type CreateTaskMutation = { readonly result: { readonly item: { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type CreateTagMutationVariables = Exact<{
  input: CreateTagInput;
}>;


export type CreateTagMutation = { readonly result: { readonly item: { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type CurrentQueryVariables = Exact<{
  ids: ReadonlyArray<string>;
}>;


export type CurrentQuery = { readonly nodes: ReadonlyArray<
    | { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
    | { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
    | { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
    | { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
    | Record<PropertyKey, never>
   | null> };

export type CursorQueryVariables = Exact<{ [key: string]: never; }>;


export type CursorQuery = { readonly changesCursor: string };

export type FeedSubscriptionVariables = Exact<{
  after?: string | null | undefined;
}>;


export type FeedSubscription = { readonly changes: { readonly cursor: string, readonly action: ChangeAction, readonly itemId: string, readonly version: number, readonly item:
      | { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
      | { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
     | null } };

export type AllTagsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AllTagsQuery = { readonly list: { readonly nodes: ReadonlyArray<{ readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }>, readonly pageInfo: { readonly hasNextPage: boolean, readonly endCursor: string | null } } };

export type AllCoursesQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AllCoursesQuery = { readonly list: { readonly nodes: ReadonlyArray<{ readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }>, readonly pageInfo: { readonly hasNextPage: boolean, readonly endCursor: string | null } } };

export type AllDocumentsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AllDocumentsQuery = { readonly list: { readonly nodes: ReadonlyArray<{ readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }>, readonly pageInfo: { readonly hasNextPage: boolean, readonly endCursor: string | null } } };

export type AllTasksQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AllTasksQuery = { readonly list: { readonly nodes: ReadonlyArray<{ readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }>, readonly pageInfo: { readonly hasNextPage: boolean, readonly endCursor: string | null } } };

export type TrashItemsMutationVariables = Exact<{
  input: ItemIdsInput;
}>;


export type TrashItemsMutation = { readonly result: { readonly items: ReadonlyArray<
      | { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
      | { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
    > | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type RestoreItemsMutationVariables = Exact<{
  input: ItemIdsInput;
}>;


export type RestoreItemsMutation = { readonly result: { readonly items: ReadonlyArray<
      | { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
      | { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus }
      | { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> }
    > | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type DeleteItemsMutationVariables = Exact<{
  input: ItemIdsInput;
}>;


export type DeleteItemsMutation = { readonly result: { readonly deletedIds: ReadonlyArray<string> | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type RefreshMutationVariables = Exact<{
  refreshToken: string;
}>;


export type RefreshMutation = { readonly result: { readonly accessToken: string | null, readonly refreshToken: string | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type SignInMutationVariables = Exact<{
  input: SignInInput;
}>;


export type SignInMutation = { readonly result: { readonly accessToken: string | null, readonly refreshToken: string | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type SignOutMutationVariables = Exact<{ [key: string]: never; }>;


export type SignOutMutation = { readonly signOut: { readonly signedOut: boolean } | null };

export type SignUpMutationVariables = Exact<{
  input: SignUpInput;
}>;


export type SignUpMutation = { readonly result: { readonly accessToken: string | null, readonly refreshToken: string | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type UpdateCourseMutationVariables = Exact<{
  input: UpdateCourseInput;
}>;


export type UpdateCourseMutation = { readonly result: { readonly item: { readonly __typename: 'Course', readonly name: string, readonly description: string | null, readonly color: string | null, readonly icon: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type UpdateDocumentMutationVariables = Exact<{
  input: UpdateDocumentInput;
}>;


export type UpdateDocumentMutation = { readonly result: { readonly item: { readonly __typename: 'Document', readonly title: string, readonly courseId: string, readonly originalText: string, readonly formattedNote: string, readonly metadata: Record<string, unknown>, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type UpdateTaskMutationVariables = Exact<{
  input: UpdateTaskInput;
}>;


export type UpdateTaskMutation = { readonly result: { readonly item: { readonly __typename: 'Task', readonly title: string, readonly courseId: string | null, readonly description: string | null, readonly completed: boolean, readonly priority: TaskPriority, readonly dueAt: string | null, readonly dueOn: string | null, readonly position: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus, readonly trashedWith: { readonly id: string } | null, readonly tags: ReadonlyArray<{ readonly id: string }> } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };

export type UpdateTagMutationVariables = Exact<{
  input: UpdateTagInput;
}>;


export type UpdateTagMutation = { readonly result: { readonly item: { readonly __typename: 'Tag', readonly name: string, readonly color: string | null, readonly id: string, readonly version: number, readonly status: ItemStatus } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly field: ReadonlyArray<string> | null, readonly message: string }> } | null };
