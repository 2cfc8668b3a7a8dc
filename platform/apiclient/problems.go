package apiclient

import "time"

// Problems answers /problems.
type Problems struct {
	Problems []Problem `json:"problems" doc:"the worst first, and of equals the oldest; empty when all is well"`
	LeftOut  int       `json:"left_out,omitempty" doc:"more problems that processes have: each publishes its 16 worst" min:"0"`
}

// Problem is one thing that is wrong in one process or in several.
type Problem struct {
	Code        string    `json:"code" doc:"stable name" example:"breaker_open"`
	Severity    string    `json:"severity" doc:"bad: events or alerts do not get through; warn: a person should look; note: a standing note about the configuration" enum:"bad|warn|note"`
	Since       time.Time `json:"since" doc:"when it began"`
	Title       string    `json:"title,omitempty" doc:"what is wrong in a few words; absent where fact is short enough" example:"Alerts are not reaching the destination"`
	Fact        string    `json:"fact" doc:"what is wrong"`
	Count       int64     `json:"count,omitempty" doc:"occurrences since then, in all processes" min:"0"`
	Unit        string    `json:"unit,omitempty" doc:"what count counts" example:"requests"`
	Consequence string    `json:"consequence,omitempty" doc:"what follows for events and alerts"`
	Remedy      string    `json:"remedy,omitempty" doc:"what to do"`
	Promise     string    `json:"promise,omitempty" doc:"what holds all the same; show it only while both books are balanced (/ledger)" example:"nothing is lost"`
	Runbook     string    `json:"runbook,omitempty" doc:"name of the document below docs/runbooks" example:"destination"`
	Processes   []string  `json:"processes" doc:"names of the processes that report it"`
}
