package app

import (
	"context"
	"errors"

	"github.com/muttproject/mutt/platform/lifecycle"
)

func openPostgresStore(context.Context, *parts) (lifecycle.Service, error) { return nil, errors.New("soon") }
func buildRegistry(context.Context, *parts) (lifecycle.Service, error) { return nil, nil }
