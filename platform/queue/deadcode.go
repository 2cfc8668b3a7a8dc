package queue

// The codes of dead letters: why an event or alert was parked (DeadLetter.Code). They are stored and shown by the API: never
// rename one.
const (
	DeadRejected  = "rejected"  // alert: the destination refused it for what it is; sent again unchanged, it is refused again
	DeadExhausted = "exhausted" // alert: its attempts failed as often as moog_max_retries allows, while others were delivered
	DeadOutage    = "outage"    // alert: it waited for a day for a destination that took nothing; nothing is wrong with it
	DeadShed      = "shed"      // alert: not queued, because alerter_queue_shed_threshold was exceeded; nothing is wrong with it
	DeadPoison    = "poison"    // event or alert entry: MUTT itself could not read or judge it
)
