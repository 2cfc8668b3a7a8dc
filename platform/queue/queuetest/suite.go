// Package queuetest holds the contract of queue.Driver as tests. Every driver runs the same suite; there is no branch
// on a driver's name.
//
// Principles:
//  1. One clause, one named test, on a storage of its own.
//  2. Time is the harness's: leases and delays are measured in Rig.Unit and pass by Rig.Advance.
//  3. A clause takes testing.TB, so that a test can prove that it fails on a wrong driver (Fails).
package queuetest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/muttproject/mutt/platform/queue"
)

// Rig is a driver on an empty storage.
type Rig struct {
	Driver queue.Driver
	// Crash gives a new driver on the storage as the end of the process leaves it, without Close of the old one, which is
	// not used any more.
	Crash func() queue.Driver
	// Restart closes the driver and opens the storage again.
	Restart func() queue.Driver
	// Advance lets time pass, for leases and for the wall clock.
	Advance func(time.Duration)
	// StepWall steps the client's wall clock alone.
	StepWall func(time.Duration)
	// Fill makes the storage have no more than its reserve, or room again.
	Fill func(full bool)
	// Close ends the driver and frees the storage before the test ends. Optional to call.
	Close func()
	// Unit is the time that the suite reckons in: large against the storage's own delays.
	Unit time.Duration
}

// Harness makes rigs.
type Harness struct {
	Open func(t testing.TB) *Rig
}

// clause is one sentence of the contract.
type clause struct {
	name string
	test func(*fixture)
}

func clauses() []clause {
	var all []clause
	for _, group := range [][]clause{appendClauses(), keyClauses(), leaseClauses(), claimClauses(), settleClauses(), releaseClauses(), deadClauses(),
		countClauses(), lifeClauses(), {{"many holders that die at random lose nothing", stress}}} {
		all = append(all, group...)
	}
	return all
}

// Run tests a driver against every clause.
func Run(t *testing.T, h Harness) {
	for _, c := range clauses() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(newFixture(t, h))
		})
	}
	t.Run("any sequence of calls does what the model does", func(t *testing.T) {
		t.Parallel()
		checkModel(t, h)
	})
}

// Fails reports whether a clause fails on a driver, and with what words.
func Fails(t testing.TB, h Harness, name string) (failed bool, log string) {
	t.Helper()
	for _, c := range clauses() {
		if c.name != name {
			continue
		}
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // of its own, for FailNow ends the goroutine
			defer close(done)
			c.test(newFixture(r, h))
		}()
		<-done
		return r.Failed(), r.log
	}
	t.Fatalf("there is no clause %q", name)
	return false, ""
}

// recorder takes a clause's failures instead of the test that runs it.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed bool
	log    string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
	r.log += fmt.Sprintf(format, args...) + "\n"
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }
func (r *recorder) Fail()             { r.Errorf("failed") }
func (r *recorder) FailNow()          { r.Fatalf("failed") }
func (r *recorder) Helper()           {}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// patience bounds what should happen at once but crosses goroutines or a network.
const patience = 10 * time.Second

func (f *fixture) ctx() context.Context { return f.t.Context() }
