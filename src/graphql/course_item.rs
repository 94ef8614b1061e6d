//! The interface `CourseItem`.
//!
//! It is written by hand, because the library's derive has two limits: an interface cannot implement another one, and the objects'
//! resolvers must return one type, but `course` is nullable for tasks only. Introspection of the library lists interfaces of
//! objects only, so it does not show that `CourseItem` implements `Item` and `Node`; `schema.graphql` does.

use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, Value,
    parser::types::Field,
    registry::{MetaField, MetaType, MetaTypeId, Registry},
};

use super::{
    course::Course,
    document::Document,
    node::{Item, Node},
    tag::Tag,
    task::Task,
};

const NAME: &str = "CourseItem";

const DESCRIPTION: &str = "An item that can belong to a course: a document always does, a task may. Select `course` and `title` \
    on this interface instead of on both types: the nullability of `course` differs between them, so \
    `... on Document { course { id } } ... on Task { course { id } }` is invalid GraphQL without aliases.";

/// The interface. It has no values: resolvers return the objects, and clients select it in fragments.
pub(crate) enum CourseItem {}

impl OutputType for CourseItem {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(NAME)
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Self, _>(MetaTypeId::Interface, |registry| {
            let objects = [Document::type_name(), Task::type_name()].map(Cow::into_owned);
            for object in &objects {
                registry.add_implements(object, NAME);
            }
            for interface in [Node::type_name(), Item::type_name()] {
                registry.add_implements(NAME, &interface);
            }
            let fields = fields_of_items(registry)
                .into_iter()
                .chain(own_fields(registry));
            MetaType::Interface {
                name: NAME.to_owned(),
                description: Some(DESCRIPTION.to_owned()),
                fields: fields.map(|field| (field.name.clone(), field)).collect(),
                possible_types: objects.into_iter().collect(),
                extends: false,
                keys: None,
                visible: None,
                inaccessible: false,
                tags: Vec::new(),
                rust_typename: Some(std::any::type_name::<Self>()),
                directive_invocations: Vec::new(),
                requires_scopes: Vec::new(),
            }
        })
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match *self {}
    }
}

/// The fields of the interface `Item`.
fn fields_of_items(registry: &mut Registry) -> Vec<MetaField> {
    Item::create_type_info(registry);
    let item = registry.types.get(&*Item::type_name());
    let fields = item.and_then(MetaType::fields).into_iter().flatten();
    fields.map(|(_, field)| field.clone()).collect()
}

/// The fields that items in courses share, and other items do not have.
fn own_fields(registry: &mut Registry) -> Vec<MetaField> {
    let course = Option::<Course>::create_type_info(registry);
    let fields = [
        (
            "course",
            course.clone(),
            "The item's course. Null if a task is in no course.",
        ),
        (
            "courseId",
            Option::<ID>::create_type_info(registry),
            "The id of the item's course. Null if a task is in no course.",
        ),
        (
            "tags",
            Vec::<Tag>::create_type_info(registry),
            "The item's active tags, sorted by name. Maximum 20, unless tags were restored.",
        ),
        (
            "title",
            String::create_type_info(registry),
            "The item's title.",
        ),
        (
            "trashedWith",
            course,
            "The course that the item was moved to the trash with. Null while the item is active, or if it was moved to the trash itself.",
        ),
    ];
    let field = |(name, ty, description): (&str, String, &str)| MetaField {
        description: Some(description.to_owned()),
        ..MetaField::new(name.to_owned(), ty)
    };
    fields.map(field).into()
}
