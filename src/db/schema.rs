// @generated automatically by Diesel CLI.

pub mod sql_types {
    #[derive(diesel::sql_types::SqlType)]
    #[diesel(postgres_type(name = "xid8", schema = "pg_catalog"))]
    pub struct Xid8;
}

diesel::table! {
    accounts (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        provider -> Text,
        provider_account_id -> Text,
        created_at -> Timestamptz,
        claimed_name -> Nullable<Text>,
        claimed_avatar_url -> Nullable<Text>,
        claims_read_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Xid8;

    audit_logs (user_id, id) {
        id -> Int8,
        user_id -> Uuid,
        actor_id -> Nullable<Uuid>,
        action -> Text,
        entity_type -> Text,
        entity_id -> Nullable<Uuid>,
        version -> Nullable<Int4>,
        changes -> Nullable<Jsonb>,
        ip_address -> Nullable<Inet>,
        user_agent -> Nullable<Text>,
        xid -> Xid8,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Xid8;

    change_epochs (id) {
        id -> Uuid,
        database -> Text,
        began_at -> Timestamptz,
        first_id -> Int8,
        first_xid -> Xid8,
    }
}

diesel::table! {
    courses (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        name -> Text,
        description -> Nullable<Text>,
        color -> Nullable<Text>,
        icon -> Nullable<Text>,
        status -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        name_folded -> Nullable<Text>,
    }
}

diesel::table! {
    document_tags (user_id, item_id, tag_id) {
        user_id -> Uuid,
        item_id -> Uuid,
        tag_id -> Uuid,
    }
}

diesel::table! {
    documents (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        course_id -> Uuid,
        title -> Text,
        original_text -> Text,
        formatted_note -> Text,
        excerpt -> Text,
        excerpt_is_own -> Bool,
        processing_time -> Nullable<Float8>,
        metadata -> Jsonb,
        status -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        trashed_with -> Nullable<Uuid>,
        image_id -> Nullable<Uuid>,
        title_folded -> Nullable<Text>,
    }
}

diesel::table! {
    former_accounts (account_hash) {
        account_hash -> Bytea,
        deleted_at -> Timestamptz,
    }
}

diesel::table! {
    image_objects (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        document_id -> Uuid,
        kind -> Text,
        state -> Text,
        content_type -> Text,
        byte_size -> Int4,
        width -> Nullable<Int4>,
        height -> Nullable<Int4>,
        upload_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        sweep_at -> Nullable<Timestamptz>,
        thumbnail_type -> Nullable<Text>,
        thumbnail_width -> Nullable<Int4>,
        thumbnail_height -> Nullable<Int4>,
        thumbnail_at -> Nullable<Timestamptz>,
        thumbnail_attempts -> Int2,
    }
}

diesel::table! {
    item_usage (user_id) {
        user_id -> Uuid,
        items -> Int8,
        bytes -> Int8,
        counted_at -> Timestamptz,
    }
}

diesel::table! {
    mail_tokens (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        purpose -> Text,
        email -> Text,
        token_hash -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        email_key -> Text,
    }
}

diesel::table! {
    mails (id) {
        id -> Uuid,
        kind -> Text,
        user_id -> Nullable<Uuid>,
        recipient -> Text,
        token_id -> Nullable<Uuid>,
        ip_address -> Nullable<Inet>,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        attempts -> Int4,
        next_attempt_at -> Timestamptz,
        last_error -> Nullable<Text>,
        died_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    pending_operations (user_id, item_id) {
        user_id -> Uuid,
        item_id -> Uuid,
        kind -> Int2,
        operation -> Text,
        actor_id -> Nullable<Uuid>,
        ip_address -> Nullable<Inet>,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        retry_at -> Timestamptz,
    }
}

diesel::table! {
    rate_limits (key) {
        key -> Uuid,
        full_at -> Timestamptz,
    }
}

diesel::table! {
    revocations (id) {
        id -> Int8,
        subject_id -> Uuid,
        revoked_at -> Timestamptz,
    }
}

diesel::table! {
    search_indexes (user_id, part) {
        user_id -> Uuid,
        part -> Int4,
        data -> Bytea,
        generation -> Nullable<Uuid>,
    }
}

diesel::table! {
    sessions (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        generation -> Int4,
        refresh_token_hash -> Bytea,
        ip_address -> Nullable<Inet>,
        user_agent -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        ended_at -> Nullable<Timestamptz>,
        rotated_at -> Timestamptz,
        rotated_ip_address -> Nullable<Inet>,
        rotated_user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    tags (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        name -> Text,
        color -> Nullable<Text>,
        status -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        name_folded -> Nullable<Text>,
    }
}

diesel::table! {
    task_tags (user_id, item_id, tag_id) {
        user_id -> Uuid,
        item_id -> Uuid,
        tag_id -> Uuid,
    }
}

diesel::table! {
    tasks (user_id, id) {
        user_id -> Uuid,
        id -> Uuid,
        course_id -> Nullable<Uuid>,
        title -> Text,
        description -> Nullable<Text>,
        completed_at -> Nullable<Timestamptz>,
        due_at -> Nullable<Timestamptz>,
        priority -> Int2,
        status -> Text,
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
        trashed_with -> Nullable<Uuid>,
        title_folded -> Nullable<Text>,
        due_on -> Nullable<Date>,
        position -> Nullable<Text>,
    }
}

diesel::table! {
    user_profiles (user_id) {
        user_id -> Uuid,
        proficiency -> Text,
        technical_background -> Nullable<Text>,
        hardware_access -> Nullable<Text>,
        learning_goals -> Nullable<Text>,
        preferences -> Nullable<Text>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        name -> Text,
        avatar_url -> Nullable<Text>,
        password_hash -> Nullable<Text>,
        email_verified -> Bool,
        is_active -> Bool,
        role -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        last_sign_in_at -> Nullable<Timestamptz>,
        email_key -> Text,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(accounts -> users (user_id));
diesel::joinable!(courses -> users (user_id));
diesel::joinable!(documents -> users (user_id));
diesel::joinable!(item_usage -> users (user_id));
diesel::joinable!(mail_tokens -> users (user_id));
diesel::joinable!(search_indexes -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(tags -> users (user_id));
diesel::joinable!(tasks -> users (user_id));
diesel::joinable!(user_profiles -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    accounts,
    audit_logs,
    change_epochs,
    courses,
    document_tags,
    documents,
    former_accounts,
    image_objects,
    item_usage,
    mail_tokens,
    mails,
    rate_limits,
    revocations,
    search_indexes,
    sessions,
    tags,
    task_tags,
    tasks,
    user_profiles,
    users,
);
