-- Legal holds (giữ dữ liệu phục vụ vụ việc): what a machine reported in a period is kept, whatever the retention of its sections,
-- until it is released and for years after. Rows are never deleted.
create table legal_hold (
    id            text primary key,
    machine       text not null references machine (id),
    -- What was in force at some time from here on and, unless the period is open, before until_at.
    from_at       bigint not null,
    until_at      bigint,
    -- Names of sections, a blank before and after each; empty: all of them.
    sections      text not null,
    -- The paper that orders it: number, day ('2026-11-22') and who issued it.
    paper_number  text not null,
    paper_date    text not null,
    paper_issuer  text not null,
    made_at       bigint not null,
    made_by       text not null,
    -- Who asked that it be released, until somebody else agrees or it is kept.
    asked_at      bigint,
    asked_by      text,
    asked_why     text,
    released_at   bigint,
    released_by   text,
    -- What was held is kept until then; null while it is not released.
    kept_until_at bigint
);
create index legal_hold_by_machine on legal_hold (machine, made_at);
