package app

import (
	"context"
	"strings"

	"github.com/muttproject/mutt/platform/apiclient"
	"github.com/muttproject/mutt/platform/connect"
	"github.com/muttproject/mutt/platform/coord"
)

// reported are the secrets of /secrets. Those with a server are of its connections; the others are read at each use.
func reported() []reportedSecret {
	return []reportedSecret{
		{name: postgresServer, server: postgresServer}, {name: redisServer, server: redisServer},
		{name: "moog", keys: []string{"MOOG_API_KEY"}},
		{name: "ingest-key", keys: []string{"INGEST_API_KEY", "INGEST_API_KEY_NEXT"}},
		{name: "webui-key", keys: []string{"WEBUI_API_KEY", "WEBUI_API_KEY_NEXT"}},
	}
}

type reportedSecret struct {
	name, server string
	keys         []string // current first
}

// logged gives what this process's connections use, by server.
func (p *parts) logged() map[string]connect.Status {
	out := map[string]connect.Status{}
	for _, l := range p.logins {
		out[l.server] = l.credentials.Status()
	}
	return out
}

// secretStatus gathers what the live processes tell of their secrets.
func (p *parts) secretStatus(ctx context.Context) (apiclient.Secrets, error) {
	live, err := p.registered.List(ctx)
	if err != nil {
		return apiclient.Secrets{}, err
	}
	out := apiclient.Secrets{Secrets: []apiclient.SecretStatus{}}
	for _, r := range reported() {
		if s := r.gather(live); len(s.Processes) > 0 {
			out.Secrets = append(out.Secrets, s)
		}
	}
	return out, nil
}

// gather gives one secret as the processes have it; those that do not use it are left out.
func (r reportedSecret) gather(live []coord.Process) apiclient.SecretStatus {
	out := apiclient.SecretStatus{Secret: r.name, SafeToRetire: true}
	for _, p := range live {
		one := r.of(p)
		if one == nil {
			continue
		}
		out.Processes = append(out.Processes, *one)
		if out.SafeToRetire && !one.SafeToRetire {
			out.SafeToRetire, out.Reason = false, one.Name+": "+one.Reason
		}
	}
	if why := disagreement(out.Processes); out.SafeToRetire && why != "" {
		out.SafeToRetire, out.Reason = false, why
	}
	if out.SafeToRetire && len(out.Processes) > 0 {
		out.Reason = "that is so in every process: " + out.Processes[0].Reason
	}
	return out
}

// of gives the secret in one process, nil when the process does not use it.
func (r reportedSecret) of(p coord.Process) *apiclient.ProcessSecret {
	out := &apiclient.ProcessSecret{ID: p.ID, Name: p.Name, Loaded: []apiclient.LoadedSecret{}, InUse: []apiclient.SecretUse{}}
	if r.server == "" {
		for _, k := range r.keys {
			if v, ok := p.Secrets[k]; ok {
				out.Loaded = append(out.Loaded, apiclient.LoadedSecret{Key: k, Version: v, Source: p.SecretSources[k]})
			}
		}
		if len(out.Loaded) == 0 {
			return nil
		}
		last := out.Loaded[len(out.Loaded)-1]
		if out.SafeToRetire = last.Key == r.keys[0]; out.SafeToRetire {
			out.Reason = last.Label() + " is in force; it is read at each use"
		} else {
			out.Reason = last.Label() + " is loaded too: promote it, or take it out first"
		}
		return out
	}
	s, ok := p.Logins[r.server]
	if !ok {
		return nil
	}
	for _, l := range s.Loaded {
		out.Loaded = append(out.Loaded, apiclient.LoadedSecret(l))
	}
	for _, u := range s.InUse {
		out.InUse = append(out.InUse, apiclient.SecretUse(u))
	}
	out.SafeToRetire, out.Reason = s.Safe, s.Reason
	return out
}

// disagreement says which processes have loaded different versions of the current secret, "" when none have. Only Vault's versions are the
// same in every process: those of files are times, which differ from host to host.
func disagreement(all []apiclient.ProcessSecret) string {
	var first *apiclient.ProcessSecret
	for i := range all {
		p := &all[i]
		if len(p.Loaded) == 0 || !strings.HasPrefix(p.Loaded[0].Version, "vault:") {
			continue
		}
		if first == nil {
			first = p
		}
		if a, b := first.Loaded[0], p.Loaded[0]; a.Key != b.Key || a.Version != b.Version {
			return first.Name + " has loaded " + a.Label() + ", and " + p.Name + " " + b.Label()
		}
	}
	return ""
}
