//! What the API of every item has in common: the fields of its object, its queries, and its create and update mutations. The
//! macros write them down once; what differs between nouns is in `course`, `document` and `task`.

/// The object of an item: the fields that all items share, and the noun's own.
macro_rules! item_object {
    ($(#[$doc:meta])* impl $Object:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[async_graphql::Object]
        impl $Object {
            /// A UUID, unique among all objects that you can see.
            pub(crate) async fn id(&self) -> async_graphql::ID {
                $crate::scalars::id_of(self.row().id)
            }

            /// Whether it is active or in the trash.
            pub(crate) async fn status(&self) -> $crate::items::ItemStatus {
                $crate::items::ItemStatus::of(self.row().deleted_at)
            }

            /// Counts the changes, from 1. Pass it as `version` to update only what you have seen.
            pub(crate) async fn version(&self) -> i32 {
                self.row().version
            }

            /// When it was created.
            pub(crate) async fn created_at(&self) -> $crate::scalars::DateTime {
                $crate::scalars::DateTime(self.row().created_at)
            }

            /// When it last changed. Moving it to the trash and restoring it are not changes.
            pub(crate) async fn updated_at(&self) -> $crate::scalars::DateTime {
                $crate::scalars::DateTime(self.row().updated_at)
            }

            /// When it was moved to the trash. Null while it is active.
            pub(crate) async fn deleted_at(&self) -> Option<$crate::scalars::DateTime> {
                self.row().deleted_at.map($crate::scalars::DateTime)
            }

            /// The owner: always you.
            async fn owner(
                &self,
                ctx: &async_graphql::Context<'_>,
            ) -> Result<$crate::graphql::user::User, $crate::error::Error> {
                let loaders = $crate::graphql::loaders::Loaders::of(ctx);
                loaders.one($crate::graphql::loaders::ViewersUser).await
            }

            $($own)*
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

        #[async_graphql::Object]
        impl $Query {
            $(#[$one_doc])*
            async fn $one(
                &self,
                ctx: &async_graphql::Context<'_>,
                id: $crate::scalars::ObjectId,
            ) -> Option<Result<$Object, $crate::error::Error>> {
                $crate::graphql::node::find(ctx, id.0).await.transpose()
            }

            $(#[$list_doc])*
            #[expect(clippy::too_many_arguments, reason = "the contract's arguments")]
            async fn $list(
                &self,
                ctx: &async_graphql::Context<'_>,
                #[graphql(desc = "Active items by default.")] filter: Option<$Filter>,
                #[graphql(desc = $default_order)] order_by: Option<$Order>,
                #[graphql(desc = "Return the first *n* items (1–100, default 50).")]
                first: Option<i32>,
                #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
                #[graphql(desc = "Return the last *n* items (1–100). Cannot be combined with `first`.")]
                last: Option<i32>,
                #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
                #[graphql(desc = "Number of items to skip (0–10,000). Can only be combined with `first`.")]
                offset: Option<i32>,
            ) -> Result<$crate::graphql::page::Connection<$Object>, $crate::error::Error> {
                let page = $crate::graphql::page::PageArguments {
                    first,
                    after,
                    last,
                    before,
                    offset,
                };
                $crate::graphql::page::list(ctx, filter, order_by, &page).await
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
            $Payload:ident { $item:ident };
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
                input: $Create,
            ) -> Option<Result<$Payload, $crate::error::Error>> {
                let created = $crate::graphql::error::create(ctx, &input).await;
                Some(created.map(|outcome| $Payload {
                    $item: outcome.value,
                    user_errors: outcome.user_errors,
                }))
            }

            $(#[$update_doc])*
            async fn $update(
                &self,
                ctx: &async_graphql::Context<'_>,
                input: $Update,
            ) -> Option<Result<$Payload, $crate::error::Error>> {
                let updated = $crate::graphql::error::update(ctx, &input).await;
                Some(updated.map(|outcome| $Payload {
                    $item: outcome.value,
                    user_errors: outcome.user_errors,
                }))
            }

            $($own)*
        }
    };
}
pub(crate) use item_mutations;
