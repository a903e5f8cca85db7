-- How a line of a roster names its machine besides its label, in the form in which both are compared; empty where the office does not say.
alter table roster_line add column serial text not null default '';
alter table roster_line add column mac text not null default '';
-- One machine stands on one roster.
create unique index roster_line_by_serial on roster_line (serial) where serial <> '' and removed_at is null;
-- The line a machine belongs to or last belonged to: a machine that takes its place keeps the history together.
alter table machine add column line text;
update machine set line = (select l.id from roster_line l where l.machine = machine.id);
create index machine_by_line on machine (line) where line is not null;
