-- What is published with a policy for the server alone; null for policies published before there was such a set. Agents never get it.
alter table policy_bundle add column server_bytes bytea;
alter table policy_bundle add column server_signature bytea;
