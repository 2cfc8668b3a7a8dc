package queue

import (
	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/trouble"
)

// outage tells of a storage that is away, however many notice it, and of its return. Each other error is logged.
type outage struct {
	log  *zap.Logger
	away *trouble.State
}

func newOutage(log *zap.Logger, b *trouble.Board) *outage {
	return &outage{log: log, away: b.State(trouble.Kind{Name: "queue_away", Unit: "tries", Quiet: 2 * lastPause,
		Begins: "the queue is unavailable: its work waits", Ends: "the queue is available again", Bad: true, Advice: trouble.Advice{
			Consequence: "nothing is judged and no alert is sent until the queue answers", Remedy: "look at the storage of the queue: Redis, or the disk of a single process; the work goes on by itself",
			Promise: trouble.NothingLost}})}
}

// noticed reports an error of the storage. doing says what failed.
func (o *outage) noticed(doing string, err error, fields ...zap.Field) {
	switch {
	case fault.Is(err, fault.Closed):
	case fault.Is(err, fault.QueueUnavailable) || gone(err):
		o.away.Add(1, append(fields, zap.String("noticed", doing), zap.Error(err))...)
	default:
		o.log.Warn(doing, append(fields, zap.Error(err))...)
	}
}
