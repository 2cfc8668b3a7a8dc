package apiclient

import (
	"encoding/json"

	"github.com/muttproject/mutt/platform/rule"
)

// RuleInput is the body that makes or changes a rule: the fields to set.
type RuleInput struct {
	rule.Rule `optional:"all"`
	Reason    string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// RuleInFile is a rule of a file: what belongs to one server, id and revision, is left out.
type RuleInFile struct {
	rule.Rule `optional:"all"`
}

// RulesFile answers an export of rules in JSON.
type RulesFile struct {
	Version int          `json:"version" doc:"of the form of the file" min:"1" max:"1"`
	Rules   []RuleInFile `json:"rules"`
}

// RulesFileInput is the body of an import of rules in JSON.
type RulesFileInput struct {
	Version int          `json:"version,omitempty" doc:"of the form of the file" min:"1" max:"1"`
	Rules   []RuleInFile `json:"rules" doc:"each with a name; the list may be empty"`
	Reason  string       `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// HostInput is the body that adds a development host.
type HostInput struct {
	Hostname string `json:"hostname" doc:"a name, a glob of * and ?, or a CIDR" maxlen:"253" example:"lab-*"`
	Reason   string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// TeamInput is the body that gives a device its team.
type TeamInput struct {
	Hostname       string `json:"hostname" doc:"of the device" maxlen:"253" example:"sw1"`
	TeamAssignment string `json:"team_assignment" doc:"who gets its meta-alerts" maxlen:"200" example:"NETOPS"`
	Revision       int64  `json:"revision,omitempty" doc:"as it was read; If-Match is what counts"`
	Reason         string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// TeamChangeInput is the body that changes a device's team. A hostname must be that of the path.
type TeamChangeInput struct {
	Hostname       string `json:"hostname,omitempty" doc:"that of the path" maxlen:"253" example:"sw1"`
	TeamAssignment string `json:"team_assignment" doc:"who gets its meta-alerts" maxlen:"200" example:"NETOPS"`
	Revision       int64  `json:"revision,omitempty" doc:"as it was read; If-Match is what counts"`
	Reason         string `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}

// ConfigInput is the body that sets a dynamic key.
type ConfigInput struct {
	Value  json.RawMessage `json:"value" doc:"of the key's type and within its bounds" example:"75"`
	Reason string          `json:"reason,omitempty" doc:"for the change audit" maxlen:"1000"`
}
