package vswitchd

import (
	"context"
	"errors"
	"time"

	"weir/internal/clock"
	"weir/internal/coverage"
)

// worker is what a switch needs done beside its loop for as long as it lives, as
// listening to the kernel is. Without it the switch goes on with what it knew: that
// is no reason to end, and none to keep quiet.
type worker struct {
	name string // of what it does, for messages
	run  func(context.Context) error
}

// The pause before a worker that ended is started again is doubled each time that
// the worker has not run for as long as the longest pause.
const (
	minWorkerPause = time.Second
	maxWorkerPause = 30 * time.Second
)

var workerRestarts = coverage.New("worker_restart")

// keep has the worker run until ctx ends. One that ends before has failed: that is
// an error in the log, and after a pause it is started again.
func (w worker) keep(ctx context.Context, clk *clock.Clock) {
	var pause time.Duration
	for {
		began := clk.Now()
		err := w.run(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("ended by itself")
		}
		pause = nextPause(pause, clk.Since(began))
		log.Err("%s: %v; trying again in %v", w.name, err, pause)
		if !clk.Sleep(ctx, pause) {
			return
		}
		workerRestarts.Inc()
	}
}

// nextPause is the pause after a worker that ran for some time since the last one.
func nextPause(last, ran time.Duration) time.Duration {
	if ran >= maxWorkerPause {
		return minWorkerPause
	}
	return min(max(2*last, minWorkerPause), maxWorkerPause)
}
