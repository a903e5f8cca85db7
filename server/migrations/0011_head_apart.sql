-- The few numbers that move with every report apart from the list of sections, which seldom changes.
create table machine_sections (
    machine  text primary key references machine (id),
    -- Latest state of every section, one a line: name digest known|unknown. Lines from before this migration: name digest observed_at
    -- received_at known|unknown. Owned by store/section.rs.
    sections text not null
);
insert into machine_sections (machine, sections) select machine, sections from machine_head;
alter table machine_head drop column sections;
-- When the sections were observed and received, in the order of their lines. Empty until the next report: as the lines say.
alter table machine_head add column seen text not null default '';
