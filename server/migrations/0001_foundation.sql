-- The whole store, one text for SQLite and PostgreSQL. Ids are UUIDv7 texts made by the server, instants bigint milliseconds
-- UTC named *_at, digests lower-case hexadecimal, blobs bytea (SQLite keeps any declared type). No automatic numbers, no
-- WITHOUT ROWID (slower for rows of this size), no operator that only one of the two knows.

create table server_meta (
    name  text primary key,
    value text not null
);

-- Rising numbers. The row is locked until the commit, so numbers become visible in order and without gaps.
create table sequence (
    name  text primary key,
    value bigint not null
);
insert into sequence (name, value) values ('change', 0);

-- People ------------------------------------------------------------------------------------------------------------

create table office (
    id         text primary key,
    parent     text references office (id),
    name       text not null,
    kind       text not null check (kind in ('province', 'ward', 'commune', 'special_zone', 'department', 'other')),
    created_at bigint not null,
    -- Until this instant the office is being set up: a score, no letter. Null: the policy's days after the first enrolment.
    setup_until_at bigint
);
create index office_by_parent on office (parent);

-- Every office with itself and everything above it; '*' stands above all. A Scope is one ancestor.
create table office_within (
    office   text not null references office (id) on delete cascade,
    ancestor text not null,
    depth    bigint not null,
    primary key (office, ancestor)
);
create index office_within_by_ancestor on office_within (ancestor, office);

create table information_system (
    id         text primary key,
    office     text not null references office (id),
    name       text not null,
    level      bigint not null check (level between 1 and 5),
    owner      text not null default '',
    operator   text not null default '',
    dossier    text not null default '',
    decision   text not null default '',
    created_at bigint not null
);
create index information_system_by_office on information_system (office);

create table person (
    id            text primary key,
    login         text not null unique,
    name          text not null,
    password_hash text not null,
    must_change   boolean not null,
    role          text not null check (role in ('officer', 'head', 'police', 'auditor', 'administrator')),
    -- The top of the part of the tree the person may see; null: all of it.
    office        text references office (id),
    language      text not null default 'vi' check (language in ('vi', 'en')),
    created_at    bigint not null,
    disabled_at   bigint,
    last_login_at bigint
);

create table session (
    token_hash   text primary key,
    person       text not null references person (id) on delete cascade,
    csrf         text not null,
    created_at   bigint not null,
    last_seen_at bigint not null,
    expires_at   bigint not null
);
create index session_by_person on session (person);

-- Failed logins, for throttling; rows older than the window are deleted.
create table login_failure (
    id    text primary key,
    login text not null,
    peer  text not null,
    at    bigint not null
);
create index login_failure_by_login on login_failure (login, at);
create index login_failure_by_at on login_failure (at);

-- Chained: hash covers the previous hash and every column of the row.
create table audit_entry (
    number   bigint primary key,
    at       bigint not null,
    person   text,
    actor    text not null,
    office   text,
    action   text not null,
    subject  text not null,
    detail   text not null,
    previous text not null,
    hash     text not null
);
create index audit_entry_by_office on audit_entry (office, number);

-- Enrolment ---------------------------------------------------------------------------------------------------------

create table token (
    id         text primary key,
    hash       text not null unique,
    office     text not null references office (id),
    role       text not null check (role in ('workstation', 'server')),
    -- Whether machines enrolled with it are confirmed at once (a quickstart's own) or wait for an officer.
    admits     text not null default 'pending' check (admits in ('pending', 'confirmed')),
    uses_left  bigint not null check (uses_left >= 0),
    uses_total bigint not null,
    created_at bigint not null,
    created_by text not null,
    expires_at bigint not null,
    revoked_at bigint,
    revoked_by text
);
create index token_by_office on token (office);

create table machine (
    id           text primary key,
    office       text not null references office (id),
    role         text not null check (role in ('workstation', 'server')),
    status       text not null check (status in ('pending', 'confirmed', 'revoked')),
    -- The name the machine gives itself: hostile text.
    name         text not null,
    -- Digest of the hardware traits at enrolment.
    traits       text not null,
    token        text references token (id),
    enrolled_at  bigint not null,
    confirmed_at bigint,
    confirmed_by text,
    revoked_at   bigint,
    revoked_by   text,
    revoked_for  text,
    -- Two machines seem to use one key since then: reports are kept and judged no more until an officer decides.
    clone_at     bigint,
    clone_why    text
);
create index machine_by_office on machine (office, status);

-- Every key a machine ever had, with its period. The key's id is the SHA-256 of its public key (SubjectPublicKeyInfo).
create table machine_key (
    id         text primary key,
    machine    text not null references machine (id),
    public_key bytea not null,
    since_at   bigint not null,
    until_at   bigint
);
create index machine_key_by_machine on machine_key (machine);

create table certificate (
    serial        text primary key,
    machine       text not null references machine (id),
    machine_key   text not null references machine_key (id),
    der           bytea not null,
    issued_at     bigint not null,
    not_before_at bigint not null,
    not_after_at  bigint not null
);
create index certificate_by_machine on certificate (machine);

-- The same token with the same public key is answered with the same certificate.
create table enrolment (
    token       text not null references token (id),
    machine_key text not null references machine_key (id),
    machine     text not null references machine (id),
    certificate text not null references certificate (serial),
    at          bigint not null,
    primary key (token, machine_key)
);
create index enrolment_by_machine on enrolment (machine);

-- What the server asks of a machine at its next poll.
create table machine_order (
    id           text primary key,
    machine      text not null references machine (id),
    kind         text not null check (kind in ('check_now')),
    asked_at     bigint not null,
    asked_by     text not null,
    -- When a poll last carried it away; its answer may be lost, so the order waits on until the machine says it is done.
    delivered_at bigint,
    done_at      bigint
);
create index machine_order_by_machine on machine_order (machine, done_at);

-- Roster ------------------------------------------------------------------------------------------------------------

create table roster (
    office          text primary key references office (id),
    declared_at     bigint not null,
    declared_by     text not null,
    -- Machines for state secrets: only their count, outside every sum.
    secret_machines bigint not null default 0
);

create table roster_line (
    id          text primary key,
    office      text not null references office (id),
    label       text not null,
    room        text not null default '',
    person      text not null default '',
    role        text not null check (role in ('workstation', 'server')),
    state       text not null check (state in ('in_use', 'on_leave', 'in_repair', 'in_store', 'awaiting_disposal')),
    state_by    text,
    state_from_at  bigint,
    state_until_at bigint,
    machine     text unique references machine (id),
    created_at  bigint not null,
    removed_at  bigint
);
create index roster_line_by_office on roster_line (office, removed_at);

-- Evidence ----------------------------------------------------------------------------------------------------------

-- The end of a machine's chain and the latest of everything it said: one row, so that a report costs one update.
create table machine_head (
    machine        text primary key references machine (id),
    segment        bigint not null,
    number         bigint not null,
    hash           text not null,
    -- The last start ids in the order they were first seen, separated by spaces.
    starts         text not null,
    traits         text not null,
    received_at    bigint not null,
    made_at        bigint not null,
    -- made_at less received_at, as the machine's clock stood at the last report.
    clock_offset   bigint not null,
    -- Latest state of every section, one a line: name digest observed_at received_at known|unknown. Owned by store/section.rs.
    sections       text not null,
    -- Bytes stored on the day (days since 1970) of the last report.
    stored_day     bigint not null,
    stored_bytes   bigint not null
);
create index machine_head_by_received on machine_head (received_at);

-- The signed bytes of every accepted report.
create table report (
    machine     text not null,
    segment     bigint not null,
    number      bigint not null,
    hash        text not null,
    header      bytea not null,
    signature   bytea not null,
    received_at bigint not null,
    made_at     bigint not null,
    primary key (machine, segment, number)
);

-- A break in a machine's chain: shown, and blocks nothing.
create table segment (
    machine         text not null references machine (id),
    segment         bigint not null,
    opened_at       bigint not null,
    reason          text not null,
    kind            text not null check (kind in ('first', 'continued', 'machine_behind', 'server_behind', 'disagreed')),
    -- What the machine named as last agreed, and where the server's own chain stood.
    claimed_segment bigint,
    claimed_number  bigint,
    claimed_hash    text,
    stood_segment   bigint,
    stood_number    bigint,
    stood_hash      text,
    primary key (machine, segment)
);

-- A refused second branch, kept with its bytes.
create table fork (
    id          text primary key,
    machine     text not null references machine (id),
    segment     bigint not null,
    number      bigint not null,
    hash        text not null,
    header      bytea not null,
    signature   bytea not null,
    bodies      bytea,
    start_id    text not null,
    traits      text not null,
    received_at bigint not null,
    unique (machine, hash)
);

-- Section bodies by content. `current` rows are the latest of their section and never deleted by retention.
create table body (
    machine  text not null,
    section  text not null,
    digest   text not null,
    encoding text not null check (encoding in ('plain', 'deflate')),
    bytes    bytea not null,
    size     bigint not null,
    current  boolean not null,
    first_at bigint not null,
    last_at  bigint not null,
    primary key (machine, section, digest)
);
create index body_by_age on body (section, last_at);
-- A section that changed a thousand times is still found in one step.
create index body_current on body (machine, section) where current;

-- Refused requests by day (days since 1970) and reason; machine is '' where no certificate said who it was.
create table refusal (
    day     bigint not null,
    reason  text not null,
    machine text not null,
    count   bigint not null,
    primary key (day, reason, machine)
);

-- Judgement ---------------------------------------------------------------------------------------------------------

create table policy_bundle (
    address      text primary key,
    version      bigint not null unique,
    bytes        bytea not null,
    signature    bytea not null,
    key_id       text not null,
    published_at bigint not null,
    published_by text not null
);

-- The verdicts on one machine, one row, so that a new policy costs one write a machine. What was found and wanted is not kept:
-- it is evaluated again from the facts when a person looks.
create table judgement (
    machine   text primary key references machine (id),
    -- Address of the policy.
    policy    text not null,
    role      text not null check (role in ('workstation', 'server')),
    judged_at bigint not null,
    -- One control a line: control verdict since_at failing_since_at|- reader|no_reader cause|-. Owned by store/judgement.rs.
    verdicts  text not null
);

create table outcome_change (
    id      text primary key,
    machine text not null,
    control text not null,
    before  text,
    after   text,
    cause   text not null check (cause in ('report', 'policy', 'time', 'waiver', 'role')),
    policy  text not null,
    at      bigint not null
);
create index outcome_change_by_machine on outcome_change (machine, at);

-- The grade of an office's own machines as last made, so that pages about many offices read one row each.
create table office_grade (
    office          text primary key references office (id) on delete cascade,
    policy          text not null,
    graded_at       bigint not null,
    -- When it must be made again though nothing happens: evidence grows old, a cap comes.
    next_at         bigint not null,
    -- Millionths of a point.
    score           bigint not null,
    on_spot         bigint,
    without_waivers bigint not null,
    letter          text,
    expected        bigint not null,
    covered         bigint not null,
    -- The whole grade, JSON of policies::grade::Grade.
    grade           text not null
);
create index office_grade_by_next on office_grade (next_at);

-- Every change of a score or letter, with what caused it: the three parts add up to the difference.
create table grade_change (
    id            text primary key,
    office        text not null references office (id) on delete cascade,
    at            bigint not null,
    policy        text not null,
    score_before  bigint,
    score_after   bigint not null,
    letter_before text,
    letter_after  text,
    by_office     bigint not null,
    by_policy     bigint not null,
    by_roster     bigint not null
);
create index grade_change_by_office on grade_change (office, at);

-- The frozen figure of an office for one day ('2026-11-22'). A later revision is a correction and never rewrites the first.
create table office_day (
    office    text not null references office (id),
    day       text not null,
    revision  bigint not null,
    frozen_at bigint not null,
    policy    text not null,
    -- Millionths of a point; null: no machine was expected.
    score      bigint,
    spot_score bigint,
    letter     text,
    expected   bigint not null,
    covered    bigint not null,
    ledger     text not null,
    hash       text not null,
    primary key (office, day, revision)
);

-- Events for pages and polls, read at least every second. Old rows are deleted; nothing is kept here alone.
create table change (
    sequence bigint primary key,
    at       bigint not null,
    kind     text not null,
    office   text,
    machine  text,
    subject  text
);
create index change_by_at on change (at);
