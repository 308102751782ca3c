//! A witness in the database itself: triggers write every change of a job, a transcription or a
//! submission down, in the transaction that makes it, with who made it. The service knows nothing
//! of it.

use testkit::servers::PostgresServer;

use super::history::Change;

/// The database of the run.
pub(super) const DATABASE: &str = "saas";

/// Each process signs in as a user of its own, so the session tells who it is. Heartbeats and
/// progress are left out: they move nothing.
const TRIGGERS: &str = "
CREATE SCHEMA witness;
CREATE TABLE witness.changes (
    n bigserial PRIMARY KEY, at bigint NOT NULL, who text NOT NULL, tx bigint NOT NULL,
    relation text NOT NULL, job uuid NOT NULL, expired boolean, before jsonb, after jsonb);
CREATE FUNCTION witness.known(whole jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, value) FROM jsonb_each(whole) WHERE key IN
        ('state', 'stage', 'epoch', 'crashes', 'failures', 'lease_owner', 'lease_until', 'status',
         'failure_code', 'metadata', 'seq', 'provider_id') $$;
CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
    INSERT INTO witness.changes (at, who, tx, relation, job, expired, before, after) VALUES (
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, session_user,
        pg_current_xact_id()::text::bigint, TG_TABLE_NAME,
        (coalesce(after, before) ->> TG_ARGV[0])::uuid,
        (before ->> 'lease_until')::timestamptz < clock_timestamp(),
        witness.known(before), witness.known(after));
    RETURN NULL;
END $$;
CREATE TRIGGER come_and_go AFTER INSERT OR DELETE ON jobs
    FOR EACH ROW EXECUTE FUNCTION witness.note('id');
CREATE TRIGGER move AFTER UPDATE ON jobs FOR EACH ROW
    WHEN ((OLD.state, OLD.stage, OLD.epoch, OLD.crashes, OLD.lease_owner)
        IS DISTINCT FROM (NEW.state, NEW.stage, NEW.epoch, NEW.crashes, NEW.lease_owner))
    EXECUTE FUNCTION witness.note('id');
CREATE TRIGGER come_and_go AFTER INSERT OR DELETE ON transcriptions
    FOR EACH ROW EXECUTE FUNCTION witness.note('id');
CREATE TRIGGER move AFTER UPDATE ON transcriptions FOR EACH ROW
    WHEN ((OLD.status, OLD.stage) IS DISTINCT FROM (NEW.status, NEW.stage))
    EXECUTE FUNCTION witness.note('id');
CREATE TRIGGER come_and_go AFTER INSERT OR DELETE ON provider_submissions
    FOR EACH ROW EXECUTE FUNCTION witness.note('job_id');
CREATE TRIGGER move AFTER UPDATE ON provider_submissions FOR EACH ROW
    WHEN ((OLD.state, OLD.provider_id) IS DISTINCT FROM (NEW.state, NEW.provider_id))
    EXECUTE FUNCTION witness.note('job_id');
";

/// Takes the fence away: whoever claims a job after its holder was given up for dead gets the
/// very epoch that the former holder has, so that the epochs tell the two no longer apart.
const NO_FENCE: &str = "
CREATE FUNCTION witness.forget_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.crashes > OLD.crashes THEN NEW.epoch := OLD.epoch - 1; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_epoch BEFORE UPDATE ON jobs
    FOR EACH ROW EXECUTE FUNCTION witness.forget_epoch();
";

/// Lets the leases of one process end at once, as a clock that jumps would: it works on, and
/// others take its jobs.
const STEAL: &str = "
WITH stolen AS (
    UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'
    WHERE state = 'leased' AND lease_owner::text IN (
        SELECT after ->> 'lease_owner' FROM witness.changes
        WHERE relation = 'jobs' AND who = '{who}' AND after ->> 'lease_owner' IS NOT NULL)
    RETURNING id)
SELECT count(*) FROM stolen";

/// Jobs that one process holds.
const HELD: &str = "
SELECT count(*) FROM jobs WHERE state = 'leased' AND lease_owner::text IN (
    SELECT after ->> 'lease_owner' FROM witness.changes
    WHERE relation = 'jobs' AND who = '{who}' AND after ->> 'lease_owner' IS NOT NULL)";

/// Sets the witness up, in a database with the schema of the service.
pub(super) fn install(server: &PostgresServer) -> anyhow::Result<()> {
    server.run(DATABASE, &[TRIGGERS]).map(drop)
}

pub(super) fn remove_the_fence(server: &PostgresServer) -> anyhow::Result<()> {
    server.run(DATABASE, &[NO_FENCE]).map(drop)
}

/// How many jobs lost their lease.
pub(super) fn steal_leases(server: &PostgresServer, who: &str) -> anyhow::Result<usize> {
    count(server, &STEAL.replace("{who}", who))
}

/// How many jobs a process holds.
pub(super) fn held(server: &PostgresServer, who: &str) -> anyhow::Result<usize> {
    count(server, &HELD.replace("{who}", who))
}

/// Ends every connection of the service; returns how many there were.
pub(super) fn end_sessions(server: &PostgresServer) -> anyhow::Result<usize> {
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    count(server, all)
}

/// Everything that the witness saw.
pub(super) fn changes(server: &PostgresServer) -> anyhow::Result<Vec<Change>> {
    let lines =
        server.run(DATABASE, &["SELECT row_to_json(c) FROM witness.changes c ORDER BY n"])?;
    lines.lines().map(Change::parse).collect()
}

fn count(server: &PostgresServer, statement: &str) -> anyhow::Result<usize> {
    Ok(server.run(DATABASE, &[statement])?.trim().parse()?)
}
