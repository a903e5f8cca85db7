-- What the pages for people need besides the foundation.

-- The audit log's numbers: the row is locked until the commit, so that two servers never chain to the same entry.
insert into sequence (name, value) values ('audit', 0);

-- Browsers that a person logged in with before. Wrong passwords typed elsewhere never slow these down.
create table known_device (
    token_hash   text primary key,
    person       text not null references person (id) on delete cascade,
    created_at   bigint not null,
    last_used_at bigint not null
);
create index known_device_by_person on known_device (person);
