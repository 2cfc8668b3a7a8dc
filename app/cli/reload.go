package cli

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/app"
)

// reloadOnHangup reloads at each SIGHUP until the returned function is called.
func reloadOnHangup(ctx context.Context, reload func(context.Context)) (stop func()) {
	ch, ctx, done := make(chan os.Signal, 1), context.WithoutCancel(ctx), make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	signal.Notify(ch, syscall.SIGHUP)
	go func() {
		defer close(done)
		for {
			select {
			case <-ch:
				reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { signal.Stop(ch); cancel(); <-done }
}

// reload reads the configuration again and brings into force what may change. What is wrong changes nothing.
func reload(ctx context.Context, a *app.App, roles app.RoleSet, log *zap.Logger, load func() (app.Config, []string, error)) {
	next, _, err := load()
	if err == nil {
		err = next.Check(roles)
	}
	if err != nil {
		log.Error("the configuration cannot be reloaded; the former one stays in force", zap.Error(err))
		return
	}
	live, restart, err := a.Reload(ctx, next)
	if err != nil {
		log.Error("not everything could be reloaded; what could not keeps what it had", zap.Error(err))
	}
	if len(restart) > 0 {
		log.Warn("settings have changed that wait for a restart", zap.String("settings", strings.Join(restart, ", ")))
	}
	log.Info("reloaded", zap.String("settings", strings.Join(live, ", ")))
}
