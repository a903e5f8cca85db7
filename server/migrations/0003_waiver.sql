-- Exceptions with an end (ngoại lệ có thời hạn): one control on one machine. Rows are never deleted.

create table waiver (
    id          text primary key,
    machine     text not null references machine (id),
    control     text not null,
    reason      text not null,
    state       text not null check (state in ('asked', 'granted', 'refused', 'withdrawn', 'ended')),
    asked_at    bigint not null,
    asked_by    text not null,
    -- It holds before this instant.
    until_at    bigint not null,
    -- Granted or refused; a granted one holds from here.
    decided_at  bigint,
    decided_by  text,
    decided_why text,
    -- Withdrawn, or ended by its date.
    ended_at    bigint,
    ended_by    text
);
create index waiver_by_machine on waiver (machine, asked_at);
-- One at a time: whoever wants a longer one asks again when this one is over.
create unique index waiver_open on waiver (machine, control) where state in ('asked', 'granted');
create index waiver_by_until on waiver (until_at) where state = 'granted';
