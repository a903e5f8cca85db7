-- What agents said about themselves: stopped, removed, repaired. A hint for the officer, not evidence.
create table agent_event (
    id          text primary key,
    machine     text not null references machine (id),
    kind        text not null,
    -- By the machine's clock.
    said_at     bigint not null,
    received_at bigint not null
);
create index agent_event_by_machine on agent_event (machine, received_at);
