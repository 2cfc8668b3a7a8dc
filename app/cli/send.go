package cli

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/app/send"
	"github.com/muttproject/mutt/platform/terminal"
	"github.com/spf13/cobra"
)

// sendFlags are the flags of mutt send.
type sendFlags struct {
	to, target, host, tag string
	key                   keyFlags
	trust                 trustFlags
	count                 int64
	rate                  float64
	duration, retry       time.Duration
	workers, batch, hosts int
}

func newSend(s streams) *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send [FILE]",
		Short: "send events from a file or generated ones",
		Long: "Sends events over HTTP or syslog (UDP, TCP, TLS) and says what was accepted, how fast, and with what latency.\n" +
			"FILE holds an event a line, a JSON object or plain text; - reads the standard input. Without FILE events of\n" +
			"imaginary network gear are generated.",
		Example: "  mutt send --count 1000\n  mutt send --to syslog-tcp --target 127.0.0.1:5514 --rate 500 --duration 10s\n  mutt send events.ndjson",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("one FILE at the most\nsee '%s --help'", c.CommandPath())}
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.to, "to", "http", "transport: http, syslog-udp, syslog-tcp or syslog-tls")
	fl.StringVar(&f.target, "target", "", "URL, or host:port for syslog (default: this machine's standard ports)")
	f.key.addTo(fl, "API key for http", "INGEST_API_KEY", "the generated one in the data directory, for a server on this machine")
	f.trust.addTo(fl)
	whole(fl, &f.count, "count", "n", 100, "events to generate; 0 for no end")
	fl.Float64Var(&f.rate, "rate", 0, "events per second; 0 for as fast as they are taken")
	fl.DurationVar(&f.duration, "duration", 0, "stop after this time; 0 for when the events end")
	whole(fl, &f.workers, "workers", "c", 2, "requests or connections at once")
	whole(fl, &f.batch, "batch", "", 0, "events per request (default 1 for http with --rate under 1000, else 500)")
	whole(fl, &f.hosts, "hosts", "", 50, "imaginary devices")
	fl.StringVar(&f.host, "host", "mutt-send", "hostname of plain text lines")
	fl.StringVar(&f.tag, "tag", "", "text before the sequence number of generated messages")
	fl.DurationVar(&f.retry, "retry", time.Minute, "give up when nothing was taken for so long (429, 503, no connection are sent again until then)")
	output := outputFlag(cmd.Flags(), cmd)
	must(cmd.RegisterFlagCompletionFunc("to", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return transports(), cobra.ShellCompDirectiveNoFileComp
	}))
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return runSend(cmd, s, &f, args, *output) }
	return cmd
}

// transports lists what --to takes.
func transports() []string { return []string{"http", "syslog-udp", "syslog-tcp", "syslog-tls"} }

func runSend(cmd *cobra.Command, s streams, f *sendFlags, args []string, output string) error {
	if !slices.Contains(transports(), f.to) {
		return usageError{fmt.Errorf("--to takes %s, not %q", strings.Join(transports(), ", "), f.to)}
	}
	source, lines, closeFile, err := openSource(s, f, args)
	if err != nil {
		return err
	}
	defer closeFile()
	o := send.Options{Transport: f.to, Target: f.target, Source: source, Rate: f.rate, Duration: f.duration,
		Workers: f.workers, Batch: f.batch, Retry: f.retry}
	if err := f.complete(&o, s); err != nil {
		return err
	}
	var progress func(send.Progress)
	if isTerminal(s.err) {
		progress = func(p send.Progress) { drawProgress(s.err, p, f.count, len(args) > 0) }
	}
	res, err := send.Run(cmd.Context(), o, progress)
	if progress != nil {
		_ = line(s.err, "")
	}
	if err != nil {
		return err
	}
	if lines != nil && lines.Err() != nil {
		return lines.Err()
	}
	if err := print(cmd.OutOrStdout(), output, res, func(w io.Writer) error { return sendText(w, res) }); err != nil {
		return err
	}
	if res.Rejected > 0 {
		return fmt.Errorf("%d events were not accepted; the first error: %s", res.Rejected, res.FirstError)
	}
	return nil
}

func openSource(s streams, f *sendFlags, args []string) (src send.Source, lines *send.Lines, closeFile func(), err error) {
	if len(args) == 0 {
		return send.NewGenerator(f.count, f.hosts, f.tag), nil, func() {}, nil
	}
	if args[0] == "-" {
		in, err := s.take()
		if err != nil {
			return nil, nil, nil, err
		}
		lines = send.NewLines(in, f.host)
		return lines, lines, func() {}, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, nil, nil, fmt.Errorf("open the events: %w", err)
	}
	lines = send.NewLines(file, f.host)
	return lines, lines, func() { _ = file.Close() }, nil // it was only read
}

// complete fills what the flags left open: the standard ports and the key.
func (f *sendFlags) complete(o *send.Options, s streams) (err error) {
	if o.Target == "" {
		switch o.Transport {
		case "http":
			o.Target = localURL(s, app.IngestListener, "8080") + "/api/v2/ingest"
		case "syslog-tls":
			o.Target = "127.0.0.1:6514"
		default:
			o.Target = "127.0.0.1:5514"
		}
	} else if o.Transport == "http" && strings.Count(o.Target, "/") == 2 {
		o.Target += "/api/v2/ingest"
	}
	if o.Batch == 0 {
		o.Batch = 500
		if o.Rate > 0 && o.Rate < 1000 {
			o.Batch = 1
		}
	}
	switch o.Transport {
	case "http":
		if o.TLS, err = f.trust.config(s, hostOf(o.Target), app.IngestListener); err == nil {
			o.Key, err = f.key.find(s, o.Target, app.IngestKeyFile, "INGEST_API_KEY")
		}
	case "syslog-tls":
		host, _, _ := net.SplitHostPort(o.Target) // a target without a port fails when it is connected to
		o.TLS, err = f.trust.config(s, host, app.SyslogTLSListener)
	}
	return err
}

func sendText(w io.Writer, r send.Result) error {
	word := "accepted"
	if !r.Acknowledged {
		word = "sent (not acknowledged)"
	}
	return printf(w, "%d %s, %d rejected, %d requests repeated, in %s: %.0f events/s\nlatency p50 %s, p90 %s, p99 %s, max %s\n",
		r.Accepted, word, r.Rejected, r.Retried, r.Elapsed.Round(time.Millisecond), r.Rate,
		r.P50.Round(time.Microsecond), r.P90.Round(time.Microsecond), r.P99.Round(time.Microsecond), r.Max.Round(time.Microsecond))
}

// drawProgress draws a bar over the last one.
func drawProgress(w io.Writer, p send.Progress, count int64, file bool) {
	rate := float64(p.Accepted) / max(p.Elapsed.Seconds(), 0.001)
	text := fmt.Sprintf("%d accepted, %d rejected, %.0f/s", p.Accepted, p.Rejected, rate)
	if count > 0 && !file {
		const width = 30
		full := int(min(float64(p.Accepted+p.Rejected)/float64(count), 1) * width)
		text = "[" + strings.Repeat("#", full) + strings.Repeat("-", width-full) + "] " + text
	}
	if width := terminalWidth(w); width > 0 {
		text = terminal.Cut(text, width-1)
	}
	_, _ = fmt.Fprintf(fileOf(w), "\r\033[K%s", text) // the file: these control characters are our own
}
