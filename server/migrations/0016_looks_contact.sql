-- Looks of people are entries of the audit log, and soon the most of them: each kind is found without reading the other.
create index audit_entry_changes on audit_entry (number) where action <> 'detail_viewed';
create index audit_entry_looks on audit_entry (number) where action = 'detail_viewed';

-- When a machine last called, apart from its newest report: written at most every ten minutes, and used in no grade.
create table machine_contact (
    machine     text primary key references machine (id),
    -- Over the network, with its certificate or its key; by the server's clock.
    called_at   bigint,
    -- When a person brought its last file.
    imported_at bigint
);
