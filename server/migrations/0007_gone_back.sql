-- The newest version of the facts' meaning by which a machine ever reported: whoever goes back to an older agent is not excused for it.
alter table machine_head add column schema_best bigint not null default 1;
update machine_head set schema_best = schema;
-- More of what was read wrongly by 1 counts as unknown from now on: everything is judged and graded again, as by migration 6.
update judgement set policy = '';
update office_grade set policy = '';
-- Wrong passwords are counted in memory: they are no longer of use when a server starts again.
drop table login_failure;
-- The token of a session's forms follows from the session's own token, of which only the hash is kept.
alter table session drop column csrf;
