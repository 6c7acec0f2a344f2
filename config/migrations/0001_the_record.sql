-- The record of a control room: the log of everything that happened, the rows
-- that say what is true now, and the tables people and places are named in.
-- Constraint names are sentences, because they are what a person reads when one holds.

-- ---------------------------------------------------------------- the log --
-- Insert-only. Followers read in (txid, seq) order below pg_snapshot_xmin, so
-- that no event is skipped although identity values commit out of order.
CREATE TABLE log (
    seq      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at       timestamptz NOT NULL,
    kind     text NOT NULL,
    subject  uuid NOT NULL,
    version  integer NOT NULL,
    type     text NOT NULL,
    data     jsonb NOT NULL,
    by       text NOT NULL,
    incident uuid,
    unit     uuid,
    CONSTRAINT "an event has its own place in its subject's life" UNIQUE (kind, subject, version)
);
CREATE INDEX log_in_commit_order ON log (txid, seq);
CREATE INDEX log_of_an_incident ON log (incident, seq) WHERE incident IS NOT NULL;
CREATE INDEX log_of_a_unit ON log (unit, txid, seq) WHERE unit IS NOT NULL;
CREATE INDEX log_of_a_type ON log (type, at);

CREATE FUNCTION refuse_to_change_the_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log is insert-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER the_log_is_insert_only BEFORE UPDATE OR DELETE ON log
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_log();
CREATE TRIGGER the_log_is_never_emptied BEFORE TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_log();

-- ------------------------------------------------------ the city's own data --
-- Filled from the city pack.
CREATE TABLE agency (
    code    text PRIMARY KEY,
    name    text NOT NULL,
    name_en text NOT NULL,
    phone   text
);
CREATE TABLE area (
    code        text PRIMARY KEY,
    level       text NOT NULL CHECK (level IN ('kota', 'kecamatan', 'kelurahan')),
    name        text NOT NULL,
    parent      text REFERENCES area,
    postal_code text,
    lat         double precision NOT NULL,
    lon         double precision NOT NULL
);
CREATE TABLE incident_type (
    code             text PRIMARY KEY,
    name             text NOT NULL,
    name_en          text NOT NULL,
    "group"          text NOT NULL,
    default_priority smallint NOT NULL CHECK (default_priority BETWEEN 1 AND 5),
    capabilities     text[] NOT NULL DEFAULT '{}',
    hazards          text NOT NULL DEFAULT ''
);
CREATE TABLE category (
    code    text PRIMARY KEY,
    name    text NOT NULL,
    name_en text NOT NULL,
    agency  text NOT NULL REFERENCES agency
);
CREATE TABLE routing (
    category text NOT NULL REFERENCES category,
    area     text NOT NULL REFERENCES area,
    agency   text NOT NULL REFERENCES agency,
    PRIMARY KEY (category, area)
);
CREATE TABLE place_name (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL,
    kind      text NOT NULL,
    lat       double precision NOT NULL,
    lon       double precision NOT NULL,
    radius_m  double precision,
    kelurahan text REFERENCES area,
    UNIQUE (name, kelurahan)
);

-- ------------------------------------------------------------- the rows now --
CREATE TABLE incident (
    id            uuid PRIMARY KEY,
    number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    version       integer NOT NULL,
    status        text NOT NULL CHECK (status IN
                    ('open', 'triaged', 'closed', 'reported', 'duplicate', 'cancelled')),
    opened_at     timestamptz NOT NULL,
    source        text NOT NULL,
    caller_number text,
    caller_name   text,
    callback      text,
    place         jsonb,
    address       text NOT NULL DEFAULT '',
    type          text REFERENCES incident_type,
    priority      smallint CHECK (priority BETWEEN 1 AND 5),
    notes         text NOT NULL DEFAULT '',
    hazards       text NOT NULL DEFAULT '',
    handled_by    text,
    triaged_at    timestamptz,
    closed_at     timestamptz,
    outcome       text,
    outcome_note  text,
    duplicate_of  uuid REFERENCES incident,
    report        uuid,
    proposed_unit uuid
);
CREATE INDEX incident_live ON incident (opened_at DESC) WHERE status IN ('open', 'triaged');
CREATE INDEX incident_by_time ON incident (opened_at DESC, id);
CREATE INDEX incident_by_caller ON incident (caller_number, opened_at DESC) WHERE caller_number IS NOT NULL;
CREATE INDEX incident_duplicates ON incident (duplicate_of) WHERE duplicate_of IS NOT NULL;

CREATE TABLE call (
    id          uuid PRIMARY KEY,
    version     integer NOT NULL,
    status      text NOT NULL CHECK (status IN
                  ('ringing', 'talking', 'held', 'ended', 'abandoned', 'callback', 'reached', 'unreachable')),
    uniqueid    text NOT NULL,
    ani         text,
    trunk       text NOT NULL,
    dialled     text NOT NULL,
    place       jsonb,
    incident    uuid NOT NULL REFERENCES incident,
    spooled     boolean NOT NULL DEFAULT false,
    rang_at     timestamptz NOT NULL,
    answered_at timestamptz,
    ended_at    timestamptz,
    seat        text,
    call_taker  text,
    cause       text,
    call_class  text CHECK (call_class IN ('emergency', 'non_emergency', 'information', 'ghost', 'prank', 'test')),
    CONSTRAINT "a telephone call is recorded once" UNIQUE (uniqueid)
);
CREATE INDEX call_of_an_incident ON call (incident);
CREATE INDEX call_live ON call (rang_at) WHERE status IN ('ringing', 'talking', 'held', 'abandoned', 'callback');
CREATE INDEX call_by_caller ON call (ani, rang_at DESC) WHERE ani IS NOT NULL;
CREATE INDEX call_by_time ON call (rang_at DESC);

CREATE TABLE report (
    id              uuid PRIMARY KEY,
    number          text NOT NULL UNIQUE,
    version         integer NOT NULL,
    status          text NOT NULL CHECK (status IN
                      ('waiting', 'verified', 'assigned', 'in_progress', 'resolved', 'closed',
                       'rejected', 'duplicate', 'upgraded')),
    created_at      timestamptz NOT NULL,
    source          text NOT NULL,
    category        text NOT NULL REFERENCES category,
    agency          text NOT NULL REFERENCES agency,
    place           jsonb,
    address         text NOT NULL DEFAULT '',
    description     text NOT NULL DEFAULT '',
    reporter_name   text,
    reporter_number text,
    officer         text,
    incident        uuid REFERENCES incident,
    bounces         smallint NOT NULL DEFAULT 0,
    resolution      text,
    reason          text,
    resolved_at     timestamptz,
    closed_at       timestamptz
);
ALTER TABLE incident ADD FOREIGN KEY (report) REFERENCES report DEFERRABLE INITIALLY DEFERRED;
CREATE INDEX report_queue ON report (agency, status, created_at DESC);
CREATE INDEX report_by_time ON report (created_at DESC, id);
CREATE TABLE report_counter (
    year integer PRIMARY KEY,
    last integer NOT NULL
);

CREATE TABLE unit (
    id           uuid PRIMARY KEY,
    version      integer NOT NULL,
    status       text NOT NULL CHECK (status IN ('off_duty', 'available', 'out_of_service')),
    call_sign    text NOT NULL UNIQUE,
    kind         text NOT NULL,
    agency       text NOT NULL REFERENCES agency,
    capabilities jsonb NOT NULL,
    station_lat  double precision NOT NULL,
    station_lon  double precision NOT NULL,
    reason       text,
    since        timestamptz NOT NULL
);

CREATE TABLE mission (
    id              uuid PRIMARY KEY,
    version         integer NOT NULL,
    status          text NOT NULL CHECK (status IN
                      ('offered', 'accepted', 'en_route', 'on_scene', 'transporting', 'at_hospital',
                       'cleared', 'declined', 'expired', 'withdrawn')),
    incident        uuid NOT NULL REFERENCES incident,
    unit            uuid NOT NULL REFERENCES unit,
    offered_at      timestamptz NOT NULL,
    offered_by      text NOT NULL,
    alerts          smallint NOT NULL,
    accepted_at     timestamptz,
    en_route_at     timestamptz,
    on_scene_at     timestamptz,
    transporting_at timestamptz,
    at_hospital_at  timestamptz,
    ended_at        timestamptz,
    reason          text,
    outcome         text,
    note            text,
    out_of_order    boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX "a unit has one live mission" ON mission (unit)
    WHERE status IN ('offered', 'accepted', 'en_route', 'on_scene', 'transporting', 'at_hospital');
CREATE INDEX mission_of_an_incident ON mission (incident);

CREATE TABLE seat (
    id         uuid PRIMARY KEY,
    version    integer NOT NULL,
    status     text NOT NULL CHECK (status IN ('free', 'ready', 'paused')),
    name       text NOT NULL UNIQUE,
    account    text,
    since      timestamptz NOT NULL,
    reason     text
);
CREATE UNIQUE INDEX "a call-taker has one seat" ON seat (account) WHERE account IS NOT NULL;
-- Beside the seat, not in it: a secret never enters the log. A digest, never the password.
CREATE TABLE seat_secret (
    seat       text PRIMARY KEY,
    digest     text NOT NULL,
    set_at     timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------ what must happen, and once --
CREATE TABLE timer (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL,
    subject  uuid NOT NULL,
    due_at   timestamptz NOT NULL,
    attempts smallint NOT NULL DEFAULT 0
);
CREATE INDEX timer_due ON timer (due_at);

CREATE TABLE idempotency (
    key         text PRIMARY KEY,
    fingerprint text NOT NULL,
    by          text NOT NULL,
    answer      jsonb NOT NULL,
    at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_age ON idempotency (at);

-- ------------------------------------------------------------ push to units --
CREATE TABLE delivery (
    unit     uuid NOT NULL REFERENCES unit,
    seq      bigint NOT NULL,
    acked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (unit, seq)
);
CREATE TABLE presence (
    unit         uuid PRIMARY KEY REFERENCES unit,
    online       boolean NOT NULL,
    since        timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE position (
    unit        uuid PRIMARY KEY REFERENCES unit,
    lat         double precision NOT NULL,
    lon         double precision NOT NULL,
    accuracy_m  double precision,
    speed_mps   double precision,
    heading     double precision,
    at          timestamptz NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX position_news ON position (received_at);
CREATE TABLE position_history (
    unit        uuid NOT NULL REFERENCES unit,
    at          timestamptz NOT NULL,
    lat         double precision NOT NULL,
    lon         double precision NOT NULL,
    accuracy_m  double precision,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (unit, at)
);

-- ------------------------------------------------------- people and doors --
CREATE TABLE account (
    login         text PRIMARY KEY,
    name          text NOT NULL,
    role          text NOT NULL CHECK (role IN
                    ('call_taker', 'dispatcher', 'supervisor', 'unit', 'agency_officer', 'leader', 'citizen', 'admin')),
    agency        text REFERENCES agency,
    unit          text,
    password_hash text NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    language      text NOT NULL DEFAULT 'id',
    CONSTRAINT "programs are not people" CHECK (login NOT IN ('agi', 'dispatch', 'web', 'rule'))
);
CREATE TABLE session (
    hash       bytea PRIMARY KEY,
    account    text NOT NULL REFERENCES account,
    csrf       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX session_of_an_account ON session (account);
CREATE TABLE sign_in_failure (
    login    text PRIMARY KEY,
    failures integer NOT NULL,
    last_at  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE ticket (
    hash       bytea PRIMARY KEY,
    account    text NOT NULL REFERENCES account,
    session    bytea NOT NULL REFERENCES session,
    purpose    text NOT NULL CHECK (purpose IN ('live', 'push')),
    expires_at timestamptz NOT NULL
);
CREATE TABLE access_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    account text NOT NULL,
    action  text NOT NULL,
    subject uuid,
    detail  text NOT NULL DEFAULT ''
);
CREATE INDEX access_log_by_subject ON access_log (subject, at);
CREATE TRIGGER the_access_log_is_insert_only BEFORE UPDATE OR DELETE ON access_log
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_log();

-- ---------------------------------------------------------------- the views --
-- The stage of an incident is derived from its missions, never stored.
CREATE VIEW incident_now AS
SELECT i.*,
       CASE
         WHEN i.status NOT IN ('open', 'triaged') THEN i.status
         WHEN m.on_scene > 0 THEN 'on_scene'
         WHEN m.en_route > 0 THEN 'en_route'
         WHEN m.accepted > 0 THEN 'assigned'
         WHEN m.offered > 0 THEN 'offered'
         WHEN i.status = 'triaged' THEN 'awaiting_unit'
         ELSE 'open'
       END AS stage,
       coalesce(m.live, 0) AS live_missions,
       i.status = 'triaged' AND coalesce(m.live, 0) = 0 AS needs_unit,
       (SELECT count(*) FROM call c WHERE c.incident = i.id) AS calls
FROM incident i
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status IN ('on_scene', 'transporting', 'at_hospital')) AS on_scene,
           count(*) FILTER (WHERE status = 'en_route') AS en_route,
           count(*) FILTER (WHERE status = 'accepted') AS accepted,
           count(*) FILTER (WHERE status = 'offered') AS offered,
           count(*) FILTER (WHERE status IN ('offered', 'accepted', 'en_route', 'on_scene', 'transporting', 'at_hospital')) AS live
    FROM mission WHERE mission.incident = i.id
) m ON true;

CREATE VIEW mission_now AS
SELECT m.*, u.call_sign, u.agency, d.delivered_at
FROM mission m
JOIN unit u ON u.id = m.unit
LEFT JOIN LATERAL (
    SELECT min(d.acked_at) AS delivered_at
    FROM log l JOIN delivery d ON d.unit = m.unit AND d.seq = l.seq
    WHERE l.kind = 'mission' AND l.subject = m.id AND l.version = 1
) d ON true;

CREATE VIEW unit_now AS
SELECT u.*, m.id AS mission, m.incident, m.status AS mission_status, m.id IS NOT NULL AS busy,
       p.lat, p.lon, p.at AS position_at, p.received_at AS position_received_at, p.accuracy_m,
       coalesce(c.online, false) AS online
FROM unit u
LEFT JOIN mission m ON m.unit = u.id
     AND m.status IN ('offered', 'accepted', 'en_route', 'on_scene', 'transporting', 'at_hospital')
LEFT JOIN position p ON p.unit = u.id
LEFT JOIN presence c ON c.unit = u.id;

-- Answered: answered - rang. The call is the row.
CREATE VIEW call_times AS
SELECT id AS call, incident, rang_at, status, call_class,
       answered_at - rang_at AS answer,
       coalesce(ended_at, now()) - coalesce(answered_at, rang_at) AS duration,
       answered_at IS NULL AND ended_at IS NOT NULL AS abandoned
FROM call;

-- Processing: first alerted - answered. Turnout: en route - first alerted. Travel: on scene -
-- en route. Total: on scene - trunk arrival. First unit of each kind of moment counts.
CREATE VIEW incident_times AS
SELECT i.id AS incident, i.number, i.type, i.priority, i.opened_at, i.place ->> 'kecamatan' AS kecamatan,
       c.answered_at - c.rang_at AS answer,
       m.first_alerted - c.answered_at AS processing,
       m.first_en_route - m.first_alerted AS turnout,
       m.first_on_scene - m.first_en_route AS travel,
       m.first_on_scene - coalesce(c.rang_at, i.opened_at) AS total
FROM incident i
LEFT JOIN LATERAL (SELECT min(rang_at) AS rang_at, min(answered_at) AS answered_at
                   FROM call WHERE call.incident = i.id) c ON true
LEFT JOIN LATERAL (SELECT min(offered_at) AS first_alerted, min(en_route_at) AS first_en_route,
                          min(on_scene_at) AS first_on_scene
                   FROM mission WHERE mission.incident = i.id) m ON true;
