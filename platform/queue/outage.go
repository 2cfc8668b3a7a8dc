package queue

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/fault"
)

// tellEvery is how often a storage that is away is told of.
const tellEvery = time.Minute

// outage tells of a storage that is away, once a minute however many notice it, and of its return.
type outage struct {
	log  *zap.Logger
	mu   sync.Mutex
	told time.Time
}

// noticed logs an error: each one, but for those that say that the storage is away.
func (o *outage) noticed(message string, err error, fields ...zap.Field) {
	if fault.Is(err, fault.Closed) {
		return
	}
	if fault.Is(err, fault.QueueUnavailable) || gone(err) {
		o.mu.Lock()
		told := !o.told.IsZero() && time.Since(o.told) < tellEvery
		if !told {
			o.told = time.Now()
		}
		o.mu.Unlock()
		if told {
			return
		}
	}
	o.log.Warn(message, append(fields, zap.Error(err))...)
}

// over says that the storage is back, when it was said to be away.
func (o *outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.told.IsZero() {
		o.told = time.Time{}
		o.log.Info("queue is back")
	}
}
