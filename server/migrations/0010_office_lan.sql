-- Gateways and DNS servers that an office approves of (danh sách được duyệt). Rows are never deleted: they are the list's history.

create table approved_address (
    id          text primary key,
    office      text not null references office (id),
    kind        text not null check (kind in ('gateway', 'dns')),
    -- An address, or a range such as 192.168.1.0/24.
    address     text not null,
    -- Number and date of the document that approves it, as typed; empty without one.
    document    text not null,
    added_at    bigint not null,
    added_by    text not null,
    removed_at  bigint,
    removed_by  text
);
create index approved_address_by_office on approved_address (office, added_at);
create unique index approved_address_open on approved_address (office, kind, address) where removed_at is null;
