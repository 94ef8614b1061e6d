//! What the API of all items has in common: fields of the object, queries, and the create and update mutations. Each macro
//! defines them once; what differs between nouns is in `course`, `document`, `task` and `tag`.

use async_graphql::{Context, ID};

use super::context::ContextExt;
use crate::{
    auth::Viewer,
    db::Connection,
    error::Failure,
    items::{self, BatchPolicy, Outcome, UpdateTarget},
    rules::check_entries,
};

/// Creates items. `field`: the name of the input field that contains the entries.
pub(crate) async fn create<'a, C: items::Create + 'a>(
    ctx: &Context<'_>,
    field: &str,
    entries: Vec<(Option<&'a ID>, &'a C)>,
    policy: Option<BatchPolicy>,
) -> Result<Vec<Outcome<C::Item>>, Failure> {
    let (viewer, mut conn) = begin(ctx, field, entries.len()).await?;
    let (policy, quotas) = (policy.unwrap_or_default(), &ctx.services().quotas);
    Ok(items::create(&mut conn, viewer, entries, policy, quotas).await?)
}

/// Updates items. `field`: the name of the input field that contains the entries.
pub(crate) async fn update<'a, U: items::Update + 'a>(
    ctx: &Context<'_>,
    field: &str,
    entries: Vec<(UpdateTarget, &'a U)>,
    policy: Option<BatchPolicy>,
) -> Result<Vec<Outcome<U::Item>>, Failure> {
    let (viewer, mut conn) = begin(ctx, field, entries.len()).await?;
    let (policy, quotas) = (policy.unwrap_or_default(), &ctx.services().quotas);
    Ok(items::update(&mut conn, viewer, entries, policy, quotas).await?)
}

async fn begin<'c>(
    ctx: &Context<'c>,
    field: &str,
    entries: usize,
) -> Result<(&'c Viewer, Connection), Failure> {
    let viewer = ctx.viewer()?;
    check_entries(field, entries)?;
    Ok((viewer, ctx.connection().await?))
}

/// Declares the object of an item that consists of its row alone.
macro_rules! row_object {
    ($(#[$doc:meta])* $Object:ident($Row:ty)) => {
        $(#[$doc])*
        pub(crate) struct $Object(pub(super) $Row);

        impl From<$Row> for $Object {
            fn from(row: $Row) -> Self {
                $Object(row)
            }
        }

        impl $crate::graphql::connection::ItemObject for $Object {
            type Row = $Row;

            fn row(&self) -> &$Row {
                &self.0
            }
        }
    };
}
pub(crate) use row_object;

/// Declares the object of an item that contains documents and tasks, with the lists that lookahead has loaded for it.
macro_rules! container_object {
    ($(#[$doc:meta])* $Object:ident($Row:ty)) => {
        $(#[$doc])*
        pub(crate) struct $Object {
            pub(super) row: $Row,
            lists: $crate::graphql::lookahead::Lists,
        }

        impl From<$Row> for $Object {
            fn from(row: $Row) -> Self {
                $Object {
                    row,
                    lists: Default::default(),
                }
            }
        }

        impl $crate::graphql::connection::ItemObject for $Object {
            type Row = $Row;

            fn row(&self) -> &$Row {
                &self.row
            }

            async fn preload(
                conn: &mut $crate::db::Connection,
                viewer: &$crate::auth::Viewer,
                lookahead: &$crate::graphql::lookahead::Lookahead,
                nodes: &[&Self],
            ) -> Result<(), $crate::error::Error> {
                lookahead.load(conn, viewer, nodes, |node| &node.lists).await
            }
        }
    };
}
pub(crate) use container_object;

/// An object with lists of items: the arguments of a list are the same everywhere. Each list ends with the call that resolves
/// it, and with `offset` if it has that argument.
macro_rules! object_with_lists {
    (
        $(#[$doc:meta])* impl $Object:ident { $($own:tt)* }
        $(
            $(#[$list_doc:meta])*
            $list:ident($this:ident, $ctx:ident, $filter:ident: $Filter:ident = $filters:literal,
                $order_by:ident: $Order:ident = $orders:literal, $page:ident $(, $offset:ident)?) -> $Node:ident $call:block
        )*
    ) => {
        $(#[$doc])*
        #[async_graphql::Object]
        impl $Object {
            $($own)*

            $(
                $(#[$list_doc])*
                #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
                async fn $list(
                    &$this,
                    $ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = $filters)] $filter: Option<$Filter>,
                    #[graphql(desc = $orders)] $order_by: Option<Vec<$Order>>,
                    #[graphql(desc = "Return the first *n* items (1–100, default 50).")]
                    first: Option<i32>,
                    #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
                    #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
                    last: Option<i32>,
                    #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
                    $(
                        #[graphql(desc = "Number of items to skip (0–10,000). Can only be combined with `first`.")]
                        $offset: Option<i32>,
                    )?
                ) -> Result<$crate::graphql::connection::Connection<$Node>, $crate::error::Error> {
                    let $page = $crate::graphql::page::PageArguments {
                        first,
                        after,
                        last,
                        before,
                        offset: None$(.or($offset))?,
                    };
                    $call
                }
            )*
        }
    };
}
pub(crate) use object_with_lists;

/// The object of an item: the fields that all items share, the noun's own, and lists of the items in it.
macro_rules! item_object {
    (
        $(#[$doc:meta])* impl $Object:ident { $($own:tt)* }
        $(lists($filters:literal) { $($(#[$list_doc:meta])* $list:ident($Node:ident, $Filter:ident, $Order:ident);)+ })?
    ) => {
        $crate::graphql::item_api::object_with_lists! {
            $(#[$doc])*
            impl $Object {
                /// A UUID, unique among all objects that you can see.
                pub(crate) async fn id(&self) -> async_graphql::ID {
                    $crate::scalars::id_of(self.row().id)
                }

                /// Whether the item is active or in the trash.
                pub(crate) async fn status(&self) -> $crate::items::ItemStatus {
                    $crate::items::ItemStatus::of(self.row().deleted_at)
                }

                /// The item's version. It starts at 1 and increases by 1 with each change. Pass it to an update as `version`, so that
                /// the update does not overwrite a change that you have not seen.
                pub(crate) async fn version(&self) -> i32 {
                    self.row().version
                }

                /// When the item was created.
                pub(crate) async fn created_at(&self) -> $crate::scalars::DateTime {
                    $crate::scalars::DateTime(self.row().created_at)
                }

                /// When the item last changed. Moving it to the trash or restoring it does not count.
                pub(crate) async fn updated_at(&self) -> $crate::scalars::DateTime {
                    $crate::scalars::DateTime(self.row().updated_at)
                }

                /// When the item was moved to the trash. Null while it is active.
                pub(crate) async fn deleted_at(&self) -> Option<$crate::scalars::DateTime> {
                    self.row().deleted_at.map($crate::scalars::DateTime)
                }

                /// The item's owner, who is always you.
                async fn owner(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                ) -> Result<$crate::graphql::user::User, $crate::error::Error> {
                    let loaders = $crate::graphql::loaders::Loaders::of(ctx);
                    loaders.get($crate::graphql::loaders::ViewersUser).await
                }

                $($own)*
            }
            $($(
                $(#[$list_doc])*
                $list(self, ctx, filter: $Filter = $filters,
                    order_by: $Order = "The order: maximum 3 fields, each only once. An empty list means the default: `CREATED_AT`, newest first.", page) -> $Node {
                    let (container, preloaded) = (self.row(), &self.lists.$list);
                    $crate::graphql::list::list_in(ctx, container, preloaded, filter, order_by, &page).await
                }
            )+)?
        }
    };
}
pub(crate) use item_object;

/// The queries of a noun: one item by its id, and the list of the viewer's items.
macro_rules! item_queries {
    (
        $(#[$doc:meta])* $Query:ident for $Object:ident {
            $(#[$one_doc:meta])* $one:ident;
            $(#[$list_doc:meta])* $list:ident($Filter:ident, $Order:ident, $default_order:literal);
        }
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $Query;

        $crate::graphql::item_api::object_with_lists! {
            impl $Query {
                $(#[$one_doc])*
                async fn $one(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "The item's id. An id that is not a UUID matches nothing.")] id: $crate::scalars::ObjectId,
                ) -> Option<Result<$Object, $crate::error::Error>> {
                    $crate::graphql::node::find(ctx, id.0).await.transpose()
                }
            }
            $(#[$list_doc])*
            $list(self, ctx, filter: $Filter = "The filter. By default, only active items.",
                order_by: $Order = $default_order, page, offset) -> $Object {
                $crate::graphql::list::list(ctx, filter, order_by, &page).await
            }
        }
    };
}
pub(crate) use item_queries;

/// The mutations of a noun: create and update, which return the payload, the same for several items, and the noun's own.
macro_rules! item_mutations {
    (
        $(#[$doc:meta])* $Mutation:ident for $Object:ident {
            $(#[$create_doc:meta])* $create:ident($Create:ident);
            $(#[$update_doc:meta])* $update:ident($Update:ident);
            $Payload:ident;
        }
        $(batches of $entries:ident {
            $(#[$create_batch_doc:meta])* $create_batch:ident($CreateBatch:ident);
            $(#[$update_batch_doc:meta])* $update_batch:ident($UpdateBatch:ident);
            $BatchPayload:ident;
        })?
        $(own { $($own:tt)* })?
    ) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $Mutation;

        #[async_graphql::Object]
        impl $Mutation {
            $(#[$create_doc])*
            async fn $create(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The item to create.")] input: $Create,
            ) -> Option<Result<$Payload, $crate::error::Error>> {
                let entry = (input.id.as_ref(), &input);
                let created = $crate::graphql::item_api::create(ctx, "input", vec![entry], None).await;
                Some($crate::graphql::payload::respond_to_one(created))
            }

            $(#[$update_doc])*
            async fn $update(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The item's id and its new values.")] input: $Update,
            ) -> Option<Result<$Payload, $crate::error::Error>> {
                let entry = (input.target, &input);
                let updated = $crate::graphql::item_api::update(ctx, "input", vec![entry], None).await;
                Some($crate::graphql::payload::respond_to_one(updated))
            }

            $(
                $(#[$create_batch_doc])*
                async fn $create_batch(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "The items to create.")] input: $CreateBatch,
                ) -> Option<Result<$BatchPayload, $crate::error::Error>> {
                    let entries = input.$entries.iter().map(|entry| (entry.id.as_ref(), entry)).collect();
                    let name = stringify!($entries);
                    let created = $crate::graphql::item_api::create(ctx, name, entries, input.policy).await;
                    let results = $crate::graphql::payload::respond_to_batch(created);
                    Some(results.map(|(results, user_errors)| $BatchPayload { results, user_errors }))
                }

                $(#[$update_batch_doc])*
                async fn $update_batch(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "The items' ids and their new values.")] input: $UpdateBatch,
                ) -> Option<Result<$BatchPayload, $crate::error::Error>> {
                    let entries = input.$entries.iter().map(|entry| (entry.target, entry)).collect();
                    let name = stringify!($entries);
                    let updated = $crate::graphql::item_api::update(ctx, name, entries, input.policy).await;
                    let results = $crate::graphql::payload::respond_to_batch(updated);
                    Some(results.map(|(results, user_errors)| $BatchPayload { results, user_errors }))
                }
            )?

            $($($own)*)?
        }

        $(
            /// A batch of items to create.
            #[derive(async_graphql::InputObject)]
            pub(crate) struct $CreateBatch {
                /// The entries (1–100): the items to create. INVALID for an entry with the id of an earlier entry.
                $entries: Vec<$Create>,
                /// Whether an error in one entry prevents the others. Null means the default.
                #[graphql(default_with = "Some(Default::default())")]
                policy: Option<$crate::items::BatchPolicy>,
            }

            /// A batch of changes to items.
            #[derive(async_graphql::InputObject)]
            pub(crate) struct $UpdateBatch {
                /// The entries (1–100): the items' ids and their new values. INVALID for an entry with the id of an earlier entry.
                $entries: Vec<$Update>,
                /// Whether an error in one entry prevents the others. Null means the default.
                #[graphql(default_with = "Some(Default::default())")]
                policy: Option<$crate::items::BatchPolicy>,
            }

            /// The results of a batch.
            #[derive(async_graphql::SimpleObject)]
            pub(crate) struct $BatchPayload {
                /// One result per entry, in the order of the input. Empty if the batch as a whole is invalid. If the policy is
                /// `ALL_OR_NOTHING` and an entry has errors, nothing is changed. The result of an entry without errors then has neither an
                /// item nor errors, unless the entry repeats an earlier create. In that case, the result contains the existing item.
                results: Vec<$Payload>,
                /// What is wrong with the batch as a whole: BLANK if it has no entries, TOO_LONG if it has more than 100. The errors of
                /// entries are in `results`.
                user_errors: Vec<$crate::graphql::payload::UserError>,
            }
        )?
    };
}
pub(crate) use item_mutations;
