//! The entities are what the migrations make, on every database: the same tables, columns, keys and
//! nullability, and types that can be told from one another.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait,
    IdenStatic, Iterable, PrimaryKeyToColumn, Statement,
};
use testkit::servers;

/// What is known of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape {
    kind: Kind,
    nullable: bool,
    key: bool,
}

/// What a column holds, as far as databases tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    BigNumber,
    Real,
    Truth,
    Instant,
    Uuid,
    Json,
    Bytes,
}

type Tables = BTreeMap<String, BTreeMap<String, Shape>>;

/// As the program sees them.
fn mapped() -> Tables {
    fn table<E: EntityTrait>(entity: E) -> (String, BTreeMap<String, Shape>) {
        let keys: BTreeSet<String> =
            E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned()).collect();
        let columns = E::Column::iter().map(|column| {
            let (name, def) = (column.as_str().to_owned(), column.def());
            let key = keys.contains(&name);
            let kind = declared(def.get_column_type());
            (name, Shape { kind, nullable: def.is_null(), key })
        });
        (entity.table_name().to_owned(), columns.collect())
    }
    BTreeMap::from([
        table(super::attempts::Entity),
        table(super::erasures::Entity),
        table(super::jobs::Entity),
        table(super::pauses::Entity),
        table(super::sched_clock::Entity),
        table(super::submissions::Entity),
        table(super::tenant_sched::Entity),
        table(super::transcriptions::Entity),
        table(super::transcripts::Entity),
        table(super::users::Entity),
    ])
}

fn declared(column: &ColumnType) -> Kind {
    match column {
        ColumnType::String(_) | ColumnType::Text => Kind::Text,
        ColumnType::Integer => Kind::Number,
        ColumnType::BigInteger => Kind::BigNumber,
        ColumnType::Double => Kind::Real,
        ColumnType::Boolean => Kind::Truth,
        ColumnType::TimestampWithTimeZone => Kind::Instant,
        ColumnType::Uuid => Kind::Uuid,
        ColumnType::Json | ColumnType::JsonBinary => Kind::Json,
        ColumnType::Blob | ColumnType::VarBinary(_) => Kind::Bytes,
        other => panic!("say which kind {other:?} is"),
    }
}

/// As the database has them.
async fn stored(db: &DatabaseConnection) -> Tables {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT c.relname, a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull,
                    EXISTS (SELECT FROM pg_index i
                             WHERE i.indrelid = c.oid AND i.indisprimary
                               AND a.attnum = ANY (i.indkey))
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                AND a.attnum > 0 AND NOT a.attisdropped"
        }
        _ => {
            // A key is never null, whether that is said or not.
            "SELECT t.name, c.name, lower(c.type), c.\"notnull\" = 0 AND c.pk = 0, c.pk > 0
               FROM sqlite_schema t JOIN pragma_table_info(t.name) c
              WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'"
        }
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let mut tables = Tables::new();
    for row in db.query_all_raw(statement).await.expect("the schema is read") {
        let text = |at| row.try_get_by_index::<String>(at).expect("a text");
        let truth = |at| row.try_get_by_index::<bool>(at).expect("a truth");
        if text(0) == "seaql_migrations" {
            continue;
        }
        let shape = Shape { kind: found(&text(2)), nullable: truth(3), key: truth(4) };
        tables.entry(text(0)).or_default().insert(text(1), shape);
    }
    tables
}

fn found(kind: &str) -> Kind {
    let plain = kind.split('(').next().unwrap_or_default();
    match plain {
        "varchar" | "text" | "character varying" => Kind::Text,
        "integer" => Kind::Number,
        "bigint" => Kind::BigNumber,
        "double" | "double precision" => Kind::Real,
        "boolean" => Kind::Truth,
        "timestamp_with_timezone_text" | "timestamp with time zone" => Kind::Instant,
        "uuid_text" | "uuid" => Kind::Uuid,
        "jsonb_text" | "jsonb" => Kind::Json,
        "blob" | "varbinary_blob" | "bytea" => Kind::Bytes,
        other => panic!("say which kind {other} is"),
    }
}

/// As a database with `backend` tells kinds apart: for SQLite every whole number is one of 64 bits.
fn mapped_on(backend: DbBackend) -> Tables {
    let mut tables = mapped();
    for shape in tables.values_mut().flat_map(BTreeMap::values_mut) {
        if backend == DbBackend::Sqlite && shape.kind == Kind::BigNumber {
            shape.kind = Kind::Number;
        }
    }
    tables
}

async fn assert_same(db: &DatabaseConnection) {
    let (stored, mapped) = (stored(db).await, mapped_on(db.get_database_backend()));
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&stored), names(&mapped), "tables");
    for (table, columns) in &mapped {
        assert_eq!(&stored[table], columns, "columns of {table}");
    }
}

async fn migrated(url: &str) -> DatabaseConnection {
    let db = migration::connect(url).await.expect("it connects");
    migration::up(&db).await.expect("the schema is made");
    db
}

#[tokio::test]
async fn the_entities_are_what_the_migrations_make_on_sqlite() {
    assert_same(&migrated("sqlite::memory:").await).await;
}

#[tokio::test]
async fn the_entities_are_what_the_migrations_make_on_postgres() {
    let database = servers::empty_database().await;
    assert_same(&migrated(&database.url()).await).await;
}

#[tokio::test]
async fn a_schema_that_drifts_is_noticed_on_both_databases() {
    let database = servers::empty_database().await;
    for url in ["sqlite::memory:", &database.url()] {
        let db = migrated(url).await;
        assert_same(&db).await;
        for drift in [
            "ALTER TABLE jobs ADD COLUMN priority INTEGER",
            "ALTER TABLE users RENAME COLUMN full_name TO name",
            "CREATE TABLE notes (line TEXT NOT NULL)",
        ] {
            let before = stored(&db).await;
            db.execute_unprepared(drift).await.expect("it runs");
            assert_ne!(stored(&db).await, before, "{drift}");
        }
    }
    // What SQLite cannot change in place.
    let url = database.url();
    let db = migration::connect(&url).await.expect("it connects");
    for drift in [
        "ALTER TABLE jobs ALTER COLUMN upload_url SET NOT NULL",
        "ALTER TABLE jobs ALTER COLUMN polls TYPE integer",
        "ALTER TABLE erasures DROP CONSTRAINT erasures_pkey",
    ] {
        let before = stored(&db).await;
        db.execute_unprepared(drift).await.expect("it runs");
        assert_ne!(stored(&db).await, before, "{drift}");
    }
}
