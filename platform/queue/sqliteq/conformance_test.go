package sqliteq_test

import (
	"testing"

	"github.com/muttproject/mutt/platform/queue/queuetest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, harness())
}
