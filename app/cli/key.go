package cli

import (
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/muttproject/mutt/app"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/private"
	"github.com/muttproject/mutt/platform/secret"
)

// keyFlags say which API key a command shows to a server.
type keyFlags struct {
	key, file string

	warned bool   // of --key, once
	read   string // what --key-file had: the standard input is read once
}

func (k *keyFlags) addTo(fl *pflag.FlagSet, about, variable, generated string) {
	fl.StringVar(&k.key, "key", "", about+"; other users of this machine see it in the list of processes, --key-file hides it (also "+variable+"; default: "+generated+")")
	fl.StringVar(&k.file, "key-file", "", "file of the API key, or - for the standard input")
}

// find returns the key for a server: that of the flags, else of the first variable that is set, else the one that a MUTT of this machine
// has generated into its data directory as the file of a name. The last is sent to this machine only. "" when there is none.
func (k *keyFlags) find(s streams, server, generated string, variables ...string) (string, error) {
	switch {
	case k.key != "" && k.file != "":
		return "", usageError{errors.New("give --key or --key-file, not both")}
	case k.key != "":
		if !k.warned {
			k.warned = true
			_ = line(s.err, "warning: other users of this machine see the value of --key in the list of processes; use --key-file FILE, or - for the standard input")
		}
		return fitKey("--key", k.key)
	case k.file != "":
		return k.fromFile(s)
	}
	for _, name := range variables {
		if key, err := fitKey(name, lookup(s.environ, name)); key != "" || err != nil {
			return key, err
		}
	}
	file, err := inDataDir(s, generated)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(file)
	if err != nil {
		return "", nil // no MUTT of this machine has generated one
	}
	if _, err := private.CheckMode(file, info); err != nil { // that others may read it is the server's to warn of
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", nil // it is not ours to read: the server says what it wants
	}
	if !connect.ThisMachine(hostOf(server)) {
		return "", fault.New(fault.ConfigInvalid, "the generated key in %s is for the MUTT of this machine only, and is not sent to %s", file, hostOf(server)).
			WithRemedy("give a key of that MUTT with --key-file FILE, or in %s", variables[0])
	}
	return fitKey(file, string(text))
}

func (k *keyFlags) fromFile(s streams) (string, error) {
	if k.read != "" {
		return k.read, nil
	}
	if info, err := os.Stat(k.file); k.file != "-" && err == nil && info.Mode().IsRegular() {
		if _, err := private.CheckMode(k.file, info); err != nil { // a file that others may read is often a mount: no warning for each call
			return "", err
		}
	}
	data, err := readInput(s, k.file)
	if err != nil {
		return "", err
	}
	key, err := fitKey("--key-file "+k.file, string(data))
	if err == nil && key == "" {
		err = fault.New(fault.SecretUnfit, "--key-file %s is empty", k.file)
	}
	k.read = key
	return key, err
}

// fitKey cleans a key and checks that a header can carry it. from is where it was found.
func fitKey(from, text string) (string, error) {
	key, err := secret.HeaderValue.Fit(text)
	if err != nil {
		return "", fault.New(fault.SecretUnfit, "the API key of %s %s", from, err)
	}
	return key, nil
}

// inDataDir returns the path of a file in the data directory of a MUTT that is configured as this command is. The error says that the
// configuration file may be another user's; another fault in it does not matter here.
func inDataDir(s streams, name string) (string, error) {
	cfg, _, err := app.Load(app.Sources{Search: app.ConfigFiles(), Environ: s.environ})
	if fault.Is(err, fault.FileUnsafe) {
		return "", err
	}
	return filepath.Join(cfg.DataDir, name), nil
}

// hostOf returns the host of a URL, "" when it is not one.
func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// input is the standard input, which one reader takes whole.
type input struct {
	io.Reader
	taken bool
}

// take reserves the standard input, and refuses a second reader: it would find it empty.
func (s streams) take() (io.Reader, error) {
	in, ok := s.in.(*input)
	if !ok {
		return s.in, nil
	}
	if in.taken {
		return nil, usageError{errors.New("- stands for the standard input in two places: give a file in one of them")}
	}
	in.taken = true
	return in, nil
}
