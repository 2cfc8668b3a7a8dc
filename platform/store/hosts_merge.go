package store

import (
	"context"

	"go.uber.org/zap"

	"github.com/muttproject/mutt/platform/event"
)

// hostIdentity is the number of the migration from which on an entry is unique by the identity of its host.
const hostIdentity = 10

// mergeHosts leaves one entry of each host among the development hosts and among the teams, where earlier versions let
// CORE-1 and core-1 stand side by side. The one that judging went by is kept, the first by its bytes: an upgrade pages
// nobody else. The others are removed by an audited change, which shows their teams and can be rolled back.
func (s *Store) mergeHosts(ctx context.Context) error {
	const reason = "names that differ in case alone are one host: the entry that was in force is kept"
	var removed []zap.Field
	_, err := s.Change(ctx, Actor{Name: "system:migrate"}, reason, func(t *Tx) error {
		removed = removed[:0]
		hosts, err := t.DevHosts()
		if err != nil {
			return err
		}
		for _, h := range repeated(hosts, func(h DevHost) string { return h.Hostname }) {
			t.removeDevHost(h.Hostname)
			removed = append(removed, zap.String("development_host", h.Hostname))
		}
		teams, err := t.Teams()
		if err != nil {
			return err
		}
		for _, team := range repeated(teams, func(t Team) string { return t.Hostname }) {
			t.removeTeam(team)
			removed = append(removed, zap.Strings("team", []string{team.Hostname, team.TeamAssignment}))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, entry := range removed {
		s.log.Warn("an entry was removed because another spelling of its host was in force; the change audit has it", entry)
	}
	return nil
}

// repeated returns the entries whose host has an entry before them.
func repeated[T any](entries []T, name func(T) string) (later []T) {
	seen := map[string]bool{}
	for _, e := range entries {
		identity := event.FoldHost(name(e))
		if seen[identity] {
			later = append(later, e)
		}
		seen[identity] = true
	}
	return later
}
