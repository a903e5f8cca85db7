-- Which agent made the last report whose sections count, and by which version of the facts' meaning it read. Until now all read by 1.
alter table machine_head add column agent text not null default '';
alter table machine_head add column schema bigint not null default 1;
-- What was read wrongly by 1 counts as unknown from now on. No policy has this address: every machine is judged and every office graded
-- again, and what that changes is not the offices' doing.
update judgement set policy = '';
update office_grade set policy = '';
