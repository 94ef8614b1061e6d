//! What the API of all items has in common: fields of the object, queries, and the create and update mutations. Each macro
//! defines them once; what differs between nouns is in `course`, `document`, `task` and `tag`.

use async_graphql::{Context, ID};

use super::{
    context::ContextExt,
    payload::{Payload, respond, respond_to_update},
};
use crate::{error::Error, items};

/// Creates an item.
pub(crate) async fn create<C, P>(
    ctx: &Context<'_>,
    chosen_id: Option<&ID>,
    input: &C,
) -> Result<P, Error>
where
    C: items::Create,
    C::Item: Into<P::Value>,
    P: Payload,
{
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    respond(items::create(&mut conn, viewer, chosen_id, input).await)
}

/// Updates an item.
pub(crate) async fn update<U, P>(ctx: &Context<'_>, input: &U) -> Result<P, Error>
where
    U: items::Update,
    U::Item: Into<P::Value>,
    P: Payload,
{
    let viewer = ctx.viewer()?;
    let mut conn = ctx.connection().await?;
    respond_to_update(items::update(&mut conn, viewer, input).await)
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
                    order_by: $Order = "The order: 1–3 fields, each only once (default: `CREATED_AT`, newest first).", page) -> $Node {
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

/// The mutations of a noun: create and update, which return the payload, and the noun's own.
macro_rules! item_mutations {
    (
        $(#[$doc:meta])* $Mutation:ident for $Object:ident {
            $(#[$create_doc:meta])* $create:ident($Create:ident);
            $(#[$update_doc:meta])* $update:ident($Update:ident);
            $Payload:ident;
            $($own:tt)*
        }
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
                Some($crate::graphql::item_api::create(ctx, input.id.as_ref(), &input).await)
            }

            $(#[$update_doc])*
            async fn $update(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "The item's id and its new values.")] input: $Update,
            ) -> Option<Result<$Payload, $crate::error::Error>> {
                Some($crate::graphql::item_api::update(ctx, &input).await)
            }

            $($own)*
        }
    };
}
pub(crate) use item_mutations;
