package decode

import (
	"fmt"
	"strings"
)

// field is a known member of an event (contracts.md section 2).
type field uint8

const (
	fHostname field = iota
	fTimestamp
	fMessage
	fSyslogSeverity
	fSeverity
	fFacility
	fTrapOID
	fVariables
	fVarbinds
	fSourceType
	fSourceIP
	fAppName
	fProcID
	fMsgID
	fCorrelation
	fID
	numFields
)

// name returns the member's name.
func (f field) name() string {
	return [numFields]string{"hostname", "timestamp", "message", "syslog_severity", "severity", "facility", "trap_oid",
		"variables", "varbinds", "source_type", "source_ip", "app_name", "proc_id", "msg_id", "_correlation_id", "id"}[f]
}

// lookup finds the field of a name. The compiler turns the switch into comparisons without an allocation.
func lookup(name []byte) (f field, ok bool) {
	switch string(name) {
	case "hostname":
		return fHostname, true
	case "timestamp":
		return fTimestamp, true
	case "message":
		return fMessage, true
	case "syslog_severity":
		return fSyslogSeverity, true
	case "severity":
		return fSeverity, true
	case "facility":
		return fFacility, true
	case "trap_oid":
		return fTrapOID, true
	case "variables":
		return fVariables, true
	case "varbinds":
		return fVarbinds, true
	case "source_type":
		return fSourceType, true
	case "source_ip":
		return fSourceIP, true
	case "app_name":
		return fAppName, true
	case "proc_id":
		return fProcID, true
	case "msg_id":
		return fMsgID, true
	case "_correlation_id":
		return fCorrelation, true
	case "id":
		return fID, true
	}
	return 0, false
}

// ValidateRequired checks the names of Options.Required.
func ValidateRequired(names []string) error {
	for _, name := range names {
		if _, ok := lookup([]byte(name)); !ok {
			return fmt.Errorf("takes fields of an event, which %q is not; they are %s", name, knownNames())
		}
	}
	return nil
}

func knownNames() string {
	var names []string
	for f := range numFields {
		names = append(names, f.name())
	}
	return strings.Join(names, ", ")
}
