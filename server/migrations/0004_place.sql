-- Room and person as typed at the machine when it enrolled: a hint for the officer, hostile text.
alter table machine add column place text not null default '';
