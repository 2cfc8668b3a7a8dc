package app

import (
	"github.com/muttproject/mutt/platform/telemetry"
	"github.com/muttproject/mutt/platform/trouble"
)

// adviceOf returns what is known about what the check of a component finds, besides its own words.
func adviceOf(id componentID, m Mode) telemetry.Advice {
	const goesOn = "MUTT goes on by itself when it answers"
	switch {
	case id == "store" && m == Distributed:
		return telemetry.Advice{
			Failed: trouble.Advice{Consequence: "events are taken in but not judged, and nothing can be changed", Remedy: "look at PostgreSQL and the network to it; " + goesOn,
				Promise: trouble.NothingLost, Runbook: "postgresql"},
			Warned: trouble.Advice{Consequence: "open connections go on; new ones may be refused", Remedy: "look at the credentials and at TLS of PostgreSQL", Runbook: "postgresql"}}
	case id == "store":
		return both(trouble.Advice{Consequence: "events are taken in but not judged, and nothing can be changed", Remedy: "look at the disk of the data directory and at the log",
			Promise: trouble.NothingLost, Runbook: "start"})
	case id == "queue" && m == Distributed:
		return telemetry.Advice{
			Failed: trouble.Advice{Consequence: "events are refused, and neither judged nor delivered", Remedy: "look at Redis and the network to it; " + goesOn, Runbook: "redis"},
			Warned: trouble.Advice{Consequence: "events get through; how safe they are while they wait depends on Redis", Remedy: "see which promise queue.durability makes, and how Redis is set", Runbook: "redis"}}
	case id == "queue":
		return both(trouble.Advice{Consequence: "events are refused until the queue can be written; what it holds is judged and delivered", Remedy: "free space on the disk of the data directory, or give it more",
			Runbook: "intake"})
	case id == "redis":
		return both(trouble.Advice{Consequence: "open connections go on; new ones may be refused", Remedy: "look at the credentials and at TLS of Redis", Runbook: "redis"})
	case id == "coord" || id == "registry":
		return both(trouble.Advice{Consequence: "processes know less of each other; each goes on with its own work", Remedy: "look at Redis; " + goesOn, Runbook: ifDistributed(m, "redis")})
	case id == "forward":
		return both(trouble.Advice{Consequence: "alerts wait in the queue; intake and judging are not affected", Remedy: "set MOOG_WEBHOOK_URL, or look at the destination", Promise: trouble.NothingLost,
			Runbook: "destination"})
	case id == "destination":
		return both(trouble.Advice{Consequence: "alerts are delivered as before", Remedy: "correct MOOG_WEBHOOK_URL, and restart the forwarders", Runbook: "destination"})
	case id == "secrets":
		return both(trouble.Advice{Consequence: "the secrets in force stay in use; a rotation does not arrive", Remedy: "look at the source of the secrets: the log names it", Runbook: "vault"})
	case id == "tls":
		return both(trouble.Advice{Consequence: "the certificate in force stays in use; peers refuse it when it has expired", Remedy: "replace the files of the certificate; they are read again by themselves",
			Runbook: "start"})
	case id == "control":
		return both(trouble.Advice{Consequence: "this process works on with the configuration that it has; changes are not in force in it", Remedy: "look at the storage of the configuration; the process goes on by itself"})
	case id == "intake" || id == "ingest" || id == "limits":
		return both(trouble.Advice{Consequence: "events of some senders may not be taken in", Remedy: "see what the senders are answered, and the log of the process", Runbook: "intake"})
	case id == "alert":
		return both(trouble.Advice{Consequence: "events may wait in the ingest queue", Remedy: "see the log of the alerter", Runbook: "missing-event"})
	default:
		return both(trouble.Advice{Consequence: "this process may do only a part of its work", Remedy: "see the log of the process"})
	}
}

// both is advice about the errors and the warnings of a check.
func both(a trouble.Advice) telemetry.Advice { return telemetry.Advice{Failed: a, Warned: a} }

func ifDistributed(m Mode, runbook string) string {
	if m == Distributed {
		return runbook
	}
	return ""
}
