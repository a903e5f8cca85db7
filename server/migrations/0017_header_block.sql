-- Headers of old reports, packed: some consecutive ones of a segment as one stream, because each resembles the one before. In the table
-- of reports they are empty then. Owned by store/header_block.rs.
create table header_block (
    machine      text not null,
    segment      bigint not null,
    first_number bigint not null,
    last_number  bigint not null,
    -- When the first and the last of them was received.
    first_at     bigint not null,
    last_at      bigint not null,
    -- Empty once retention removed them; hashes and signatures stay with the reports.
    bytes        bytea not null,
    primary key (machine, segment, last_number)
);
create index header_block_by_age on header_block (last_at) where length(bytes) > 0;
create index fork_by_age on fork (received_at) where length(header) > 0;
-- What retention said before it removed headers: few rows of many.
create index audit_entry_of_removals on audit_entry (number) where action = 'headers_removed';
