-- What must never happen to a row, whoever changes it: said by the database itself, at every change.

CREATE FUNCTION watch_transcription() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed', 'canceled') AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION 'a transcription that was % became %', OLD.status, NEW.status;
    END IF;
    IF OLD.status = 'processing' AND NEW.status = 'pending' THEN
        RAISE EXCEPTION 'a transcription that was begun is not any more';
    END IF;
    IF NEW.retry_count < OLD.retry_count THEN
        RAISE EXCEPTION 'retries are counted back from % to %', OLD.retry_count, NEW.retry_count;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER watch BEFORE UPDATE ON transcriptions
    FOR EACH ROW EXECUTE FUNCTION watch_transcription();

CREATE FUNCTION watch_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stages text[] := ARRAY['fetching', 'uploading', 'submitting', 'transcribing', 'storing'];
    moves text[] := ARRAY['scheduled ready', 'scheduled waiting', 'ready leased', 'ready waiting',
        'leased waiting', 'leased scheduled', 'leased ready', 'waiting ready', 'waiting scheduled'];
BEGIN
    IF NEW.state <> OLD.state AND NOT OLD.state || ' ' || NEW.state = ANY (moves) THEN
        RAISE EXCEPTION 'a job that was % became %', OLD.state, NEW.state;
    END IF;
    IF NEW.epoch <> OLD.epoch + (OLD.state = 'ready' AND NEW.state = 'leased')::int THEN
        RAISE EXCEPTION 'from % to % the epoch went from % to %',
            OLD.state, NEW.state, OLD.epoch, NEW.epoch;
    END IF;
    IF OLD.state = 'leased' AND NEW.state = 'leased' AND NEW.lease_owner <> OLD.lease_owner THEN
        RAISE EXCEPTION 'a lease changed hands';
    END IF;
    IF array_position(stages, NEW.stage::text) < array_position(stages, OLD.stage::text) THEN
        RAISE EXCEPTION 'a job went back from % to %', OLD.stage, NEW.stage;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER watch BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION watch_job();

CREATE FUNCTION watch_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM transcriptions
               WHERE id = OLD.id AND status NOT IN ('completed', 'failed', 'canceled')) THEN
        RAISE EXCEPTION 'a job is gone whose transcription has not ended';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER watch_end AFTER DELETE ON jobs DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION watch_end();

CREATE FUNCTION watch_submission() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.provider_id IS DISTINCT FROM OLD.provider_id AND OLD.provider_id IS NOT NULL THEN
        RAISE EXCEPTION 'a submission changed its name';
    END IF;
    IF OLD.state IN ('finished', 'error') AND OLD.provider_id IS NOT NULL
        AND NEW.state <> OLD.state THEN
        RAISE EXCEPTION 'a submission that was % became %', OLD.state, NEW.state;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER watch BEFORE UPDATE ON provider_submissions
    FOR EACH ROW EXECUTE FUNCTION watch_submission();
