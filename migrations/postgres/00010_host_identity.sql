-- +goose Up
-- One host is one identity, whatever the case of its name (ASCII letters, by the collation "C"). Names that differ in case
-- alone were merged before this step, by the program that runs it. The audit needs nothing: docs/adr/0028-one-host-one-identity.md
CREATE UNIQUE INDEX development_hosts_identity ON development_hosts (lower(hostname));
CREATE UNIQUE INDEX device_teams_identity ON device_teams (lower(hostname));
