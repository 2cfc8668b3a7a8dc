package app

import (
	"context"
	"errors"

	"github.com/muttproject/mutt/platform/lifecycle"
)

var errSoon = errors.New("not wired yet")

func openRedis(context.Context, *parts) (lifecycle.Service, error)      { return nil, errSoon }
func openRedisQueue(context.Context, *parts) (lifecycle.Service, error) { return nil, errSoon }
func openRedisCoord(context.Context, *parts) (lifecycle.Service, error) { return nil, errSoon }
func openPostgresStore(context.Context, *parts) (lifecycle.Service, error) {
	return nil, errSoon
}
func buildRegistry(context.Context, *parts) (lifecycle.Service, error) { return nil, nil }
