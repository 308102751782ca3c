//! Changes of several tables in one statement, where the database knows such: every statement to a
//! server is a way there and back.

use domain::{Job, Transcription};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, IntoActiveModel, Iterable,
    ModelTrait, QueryTrait, StatementBuilder,
    sea_query::{
        CommonTableExpression, Expr, InsertStatement, OnConflict, Query, QueryStatementBuilder,
        SubQueryStatement, UpdateStatement, WithClause,
    },
};

use crate::persistence::{
    entities::{jobs, sched_clock, tenant_sched, transcriptions},
    rows,
    store::WriteTx,
};

/// The name of the part that takes a place in the queue.
const PLACE: &str = "place";

/// Stores a transcription together with its job, ready, at the next place of its owner. The
/// statement itself works [`Job::fair_place`] out, so that each of several calls at once is given
/// a place of its own.
pub(super) async fn enqueue(
    tx: &WriteTx,
    transcription: &Transcription,
    cost: f64,
    weight: f64,
) -> Result<(), DbErr> {
    let row = rows::transcriptions::row(transcription).into_active_model().reset_all();
    let with = WithClause::new()
        .cte(part("stored", transcriptions::Entity::insert(row).into_query()))
        .cte(part(PLACE, place(transcription, cost / weight)))
        .to_owned();
    // Its place is that which the statement takes.
    let row = rows::jobs::row(&Job::enqueue(transcription, cost, 0.0));
    let mut values = Query::select();
    values.from(PLACE);
    for column in jobs::Column::iter() {
        match column {
            jobs::Column::Vtime => values.column((PLACE, tenant_sched::Column::LastVtime)),
            column => values.expr(Expr::value(row.get(column))),
        };
    }
    let mut job = Query::insert();
    job.into_table(jobs::Entity).columns(jobs::Column::iter());
    job.select_from(values).map_err(|error| DbErr::Custom(error.to_string()))?;
    tx.db().execute(&job.with(with)).await?;
    Ok(())
}

fn place(transcription: &Transcription, share: f64) -> InsertStatement {
    use tenant_sched::{Column, Entity};
    let clock = || {
        let mut clock = Query::select();
        clock.column(sched_clock::Column::Vclock).from(sched_clock::Entity);
        Expr::from(clock)
    };
    let last = Expr::col((Entity, Column::LastVtime));
    let further = Expr::cust_with_exprs("greatest($1, $2)", [last, clock()]).add(share);
    Query::insert()
        .into_table(Entity)
        .columns([Column::UserId, Column::LastVtime])
        .values_panic([Expr::value(transcription.parts().owner.as_uuid()), clock().add(share)])
        .on_conflict(
            OnConflict::column(Column::UserId).value(Column::LastVtime, further).to_owned(),
        )
        .returning_col(Column::LastVtime)
        .to_owned()
}

/// What is written together with a job. Nothing of it is about the same row.
pub(super) struct Beside {
    /// Its transcription, and its accepted submission where it has served its purpose.
    pub(super) updates: Vec<UpdateStatement>,
    /// A line of its history, and its transcript.
    pub(super) inserts: Vec<InsertStatement>,
}

/// Writes a job and what goes with it; returns how many jobs that were.
pub(super) async fn write(
    tx: &WriteTx,
    job: impl QueryStatementBuilder + StatementBuilder + 'static,
    beside: Beside,
) -> Result<u64, DbErr> {
    const UPDATES: [&str; 2] = ["changed", "finished"];
    const INSERTS: [&str; 2] = ["line", "transcript"];
    let db = tx.db();
    if tx.is_postgres() {
        let mut with = WithClause::new();
        for (name, update) in UPDATES.into_iter().zip(beside.updates) {
            with.cte(part(name, update));
        }
        for (name, insert) in INSERTS.into_iter().zip(beside.inserts) {
            with.cte(part(name, insert));
        }
        return Ok(db.execute(&with.query(job)).await?.rows_affected());
    }
    let touched = db.execute(&job).await?.rows_affected();
    for update in beside.updates {
        db.execute(&update).await?;
    }
    for insert in beside.inserts {
        db.execute(&insert).await?;
    }
    Ok(touched)
}

fn part(name: &'static str, statement: impl Into<SubQueryStatement>) -> CommonTableExpression {
    let mut part = CommonTableExpression::new();
    part.table_name(name).query(statement);
    part
}
