-- The evidence log: one Merkle tree (RFC 6962) over every accepted report, refused fork, audit entry and frozen figure. What a leaf says
-- is made by evidence/leaf.rs.

-- One row: the end of the log. Locked last in a transaction (machine, audit, change, log), so that leaves have no gaps.
create table log_head (
    name          text primary key,
    -- Rises whenever the store was put back or lost: 1, then the second since 1970 in which the epoch began.
    epoch         bigint not null,
    size          bigint not null,
    -- Roots of the full subtrees, 32 bytes each, the largest first.
    frontier      bytea not null,
    -- The newest signed checkpoint.
    checkpoint    text not null,
    checkpoint_at bigint not null,
    -- How far a store older than the log has been taken in; 'done' at the end.
    filled        text not null
);
insert into log_head (name, epoch, size, frontier, checkpoint, checkpoint_at, filled) values ('log', 1, 0, '', '', 0, '');

-- The leaves of one commit.
create table log_leaf (
    epoch    bigint not null,
    first    bigint not null,
    -- 32 bytes a leaf.
    hashes   bytea not null,
    -- What each leaf is about, a line each: report MACHINE SEGMENT NUMBER, fork MACHINE HASH, audit NUMBER, figure OFFICE DAY REVISION,
    -- checkpoint EPOCH SIZE.
    subjects text not null,
    primary key (epoch, first)
);

-- Roots of full subtrees of 256 leaves (level 1), of 256 of those (level 2) and so on.
create table log_subtree (
    epoch  bigint not null,
    level  bigint not null,
    number bigint not null,
    hash   bytea not null,
    primary key (epoch, level, number)
);

-- The last checkpoint of every day and epoch, and every one that a witness cosigned.
create table log_checkpoint (
    epoch   bigint not null,
    size    bigint not null,
    made_at bigint not null,
    note    text not null,
    primary key (epoch, size)
);

-- While an older store is taken in; dropped at its end.
create index report_by_arrival on report (received_at, machine, segment, number);
