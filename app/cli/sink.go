package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/muttproject/mutt/app/sink"
	"github.com/muttproject/mutt/platform/terminal"
)

func newSink(s streams) *cobra.Command {
	var (
		addr   string
		keep   int
		quiet  bool
		faults sink.Faults
	)
	cmd := &cobra.Command{
		Use:   "sink",
		Short: "receive alerts, for trying things out",
		Long: "Listens for alerts as the destination would, prints each, and counts. It fails, delays and limits on request:\n" +
			"by flag, or while it runs with PUT /faults. GET /stats gives the counts, GET /last?n=10 the last alerts.",
		Example: "  mutt sink\n  MOOG_WEBHOOK_URL=http://127.0.0.1:9000/ mutt serve\n" +
			"  curl -X PUT -d '{\"status\":503}' http://127.0.0.1:9000/faults",
		Args: noArgs,
	}
	fl := cmd.Flags()
	fl.StringVar(&addr, "addr", "127.0.0.1:9000", "address to listen on; port 0 picks a free one")
	whole(fl, &keep, "keep", "", 1000, "alerts to remember")
	fl.BoolVarP(&quiet, "quiet", "q", false, "do not print alerts")
	whole(fl, &faults.Status, "fail", "", 0, "answer with this status")
	fl.Float64Var(&faults.FailRate, "fail-rate", 0, "share of requests that --fail applies to (default all)")
	fl.DurationVar(&faults.Delay, "delay", 0, "wait before each answer")
	whole(fl, &faults.Limit, "limit", "", 0, "requests per second before 429; 0 for none")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var show func(json.RawMessage)
		if !quiet {
			show = printer(cmd.OutOrStdout())
		}
		sk := sink.New(keep, show)
		sk.SetFaults(faults)
		return serveSink(cmd.Context(), s, addr, sk)
	}
	return cmd
}

func serveSink(ctx context.Context, s streams, addr string, sk *sink.Sink) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	_ = printf(s.err, "sink: waiting for alerts at http://%s/\n", l.Addr())
	srv := &http.Server{Handler: sk, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = srv.Shutdown(stop)
	}
	st := sk.Stats()
	_ = printf(s.err, "sink: %d alerts, %d distinct, %d repeats, %d requests refused\n", st.Alerts, st.Distinct, st.Repeats, st.Refused)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// printer prints a line for each alert.
func printer(w io.Writer) func(json.RawMessage) {
	var mu sync.Mutex
	return func(raw json.RawMessage) {
		var a struct {
			Source, Class, Type, Description string
			Severity                         json.Number
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			a.Description = string(raw)
		}
		mu.Lock()
		defer mu.Unlock()
		text := fmt.Sprintf("%s  severity %s  %s  %s  %s: %s", time.Now().Format("15:04:05.000"), short(a.Severity.String(), 10),
			terminal.Pad(short(a.Source, 64), 12), terminal.Pad(short(a.Class, 32), 10), short(a.Type, 64), short(a.Description, 500))
		if width := terminalWidth(w); width > 0 {
			text = terminal.Cut(text, width)
		}
		_ = line(w, text)
	}
}
