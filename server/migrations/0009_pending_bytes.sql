-- Bytes kept of a machine on all days together: what nobody confirmed may keep little, also after a restart and whatever the clock says.
alter table machine_head add column stored_all bigint not null default 0;
create index machine_pending on machine (token) where status = 'pending';
