-- Receipts that prove a report in the evidence log, and what breaks or contradicts the log.

-- When the reports of this commit were received, milliseconds UTC: so that the leaf of a report that is sent again is found. Null where
-- there is none, and in rows of before.
alter table log_leaf add column reports_at bigint;
create index log_leaf_by_reports_at on log_leaf (reports_at) where reports_at is not null;

-- How every epoch but the first began. Rows of before are missing.
create table log_epoch (
    epoch        bigint primary key,
    opened_at    bigint not null,
    -- restored: by the command that puts a copy back; shown: a machine brought a longer checkpoint of this server.
    reason       text not null,
    machine      text,
    -- The last checkpoint known, which is the first leaf.
    before_epoch bigint not null,
    before_size  bigint not null
);

-- Checkpoints signed with this server's key that its log does not continue.
create table log_contradiction (
    epoch    bigint not null,
    size     bigint not null,
    root     text not null,
    note     text not null,
    -- Who brought it; null: a person, by file.
    machine  text,
    found_at bigint not null,
    primary key (epoch, size, root)
);
