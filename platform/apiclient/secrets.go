package apiclient

import "strings"

// Secrets answers /secrets: which version of each secret every process works by. Never a secret.
type Secrets struct {
	Secrets []SecretStatus `json:"secrets"`
}

// SecretStatus is one secret in all processes.
type SecretStatus struct {
	Secret       string          `json:"secret" doc:"postgres, redis, moog, ingest-key or webui-key"`
	SafeToRetire bool            `json:"safe_to_retire" doc:"no process needs another password than the current one, and none has a next one"`
	Reason       string          `json:"reason" doc:"why it is safe, or why not"`
	Processes    []ProcessSecret `json:"processes"`
}

// ProcessSecret is a secret in one process.
type ProcessSecret struct {
	ID           string         `json:"id" doc:"of this start of the process"`
	Name         string         `json:"name" doc:"of the process"`
	Loaded       []LoadedSecret `json:"loaded" doc:"in the order in which they are tried"`
	InUse        []SecretUse    `json:"in_use" doc:"by open connections; empty for a secret that is read at each use"`
	SafeToRetire bool           `json:"safe_to_retire" doc:"this process needs no other password than the current one, and has no next one"`
	Reason       string         `json:"reason" doc:"why it is safe, or why not"`
}

// LoadedSecret is a key that a process has.
type LoadedSecret struct {
	Key      string `json:"key" doc:"such as DB_PASS_CURRENT"`
	Version  string `json:"version" doc:"such as vault:7; empty when its provider counts none"`
	Source   string `json:"source,omitempty" doc:"where it is and in which version, for people, such as version 7 of vault secret/mutt/prod"`
	Accepted bool   `json:"accepted" doc:"the last login at every server was with it"`
	Refused  bool   `json:"refused" doc:"a server refused it, and has not accepted it since"`
}

// SecretUse counts the open connections of a key.
type SecretUse struct {
	Key         string `json:"key" doc:"such as DB_PASS_CURRENT"`
	Version     string `json:"version" doc:"such as vault:7"`
	Source      string `json:"source,omitempty" doc:"where it was and in which version, for people"`
	Connections int    `json:"connections" doc:"how many are open"`
	Withdrawn   bool   `json:"withdrawn" doc:"the secret source does not give it any more"`
}

// Label names the secret and its version for people.
func (l LoadedSecret) Label() string { return secretLabel(l.Key, l.Version, l.Source) }

// Label names the secret and its version for people.
func (u SecretUse) Label() string { return secretLabel(u.Key, u.Version, u.Source) }

// secretLabel falls back to the version of a process that does not know the source: one of an older version.
func secretLabel(key, version, source string) string {
	if source != "" {
		return key + " from " + source
	}
	return strings.TrimSpace(key + " " + version)
}
