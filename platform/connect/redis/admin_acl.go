package redis

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/redis/rueidis"

	"github.com/muttproject/mutt/platform/fault"
	"github.com/muttproject/mutt/platform/secret"
)

// hash is how ACL names a password.
func hash(s secret.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return hex.EncodeToString(sum[:])
}

// about gives one list of what a node knows of a user.
func about(ctx context.Context, c rueidis.Client, name, what string) ([]string, error) {
	answer := c.Do(ctx, c.B().Arbitrary("ACL", "GETUSER").Args(name).Build())
	if rueidis.IsRedisNil(answer.Error()) {
		return nil, fault.New(fault.NotFound, "Redis has no such user").WithRemedy("correct REDIS_USER, or make the user on this node")
	}
	fields, err := answer.AsMap()
	if err != nil {
		return nil, Fault(err, "look at the user of Redis")
	}
	list := fields[what]
	out, err := list.AsStrSlice()
	if err != nil {
		return nil, Fault(err, "look at the user of Redis")
	}
	return out, nil
}

// permitted sees, where Redis can tell (since 7.0), that the administrator may run what a rotation ends with: it would be late to learn that then.
func (a *Administrator) permitted(ctx context.Context, c rueidis.Client, n Node) error {
	me, err := c.Do(ctx, c.B().Arbitrary("ACL", "WHOAMI").Build()).ToString()
	if err != nil {
		return err
	}
	commands := []string{"ACL SETUSER " + a.user, "CLIENT LIST", "CONFIG SET masterauth x"}
	if n.Sentinel {
		commands = []string{"ACL SETUSER " + a.user, "SENTINEL CONFIG SET sentinel-pass x", "SENTINEL SET " + a.config.Master + " auth-pass x", "SENTINEL FLUSHCONFIG"}
	}
	for _, command := range commands {
		said, err := c.Do(ctx, c.B().Arbitrary("ACL", "DRYRUN").Args(me).Args(strings.Fields(command)...).Build()).ToString()
		switch {
		case err != nil && strings.Contains(strings.ToLower(err.Error()), "unknown subcommand"):
			return nil
		case err != nil:
			return err
		case said != "OK":
			return tooFew(errors.New(said))
		}
	}
	return nil
}

// tooFew says that the administrator has too few rights. err is what Redis said, which names the command.
func tooFew(err error) error {
	return fault.Wrap(fault.Forbidden, err, "the administrator of Redis may not do this").
		WithRemedy("give the administrator's user the rights to ACL, CONFIG, CLIENT and INFO, and to CLUSTER or SENTINEL")
}

// persist has a node write its users to where it reads them at its next start.
func persist(ctx context.Context, c rueidis.Client, n Node) error {
	if n.Sentinel {
		return rewrite(ctx, c, n)
	}
	set, err := c.Do(ctx, c.B().Arbitrary("CONFIG", "GET").Args("aclfile").Build()).AsStrMap()
	if err != nil {
		return Fault(err, "read where Redis keeps its users")
	}
	if set["aclfile"] == "" {
		return rewrite(ctx, c, n)
	}
	return unkept(c.Do(ctx, c.B().Arbitrary("ACL", "SAVE").Build()).Error(), "save the users of Redis")
}

// rewrite has a node write its configuration file.
func rewrite(ctx context.Context, c rueidis.Client, n Node) error {
	command := c.B().Arbitrary("CONFIG", "REWRITE")
	if n.Sentinel {
		command = c.B().Arbitrary("SENTINEL", "FLUSHCONFIG")
	}
	return unkept(c.Do(ctx, command.Build()).Error(), "have Redis write its configuration file")
}

// unkept says why a node could not write down what it knows: after a restart its users would be as before.
func unkept(err error, doing string) error {
	has := func(words string) bool { return err != nil && strings.Contains(err.Error(), words) }
	switch {
	case has("without a config file"):
		return fault.Wrap(fault.ConfigInvalid, err, "Redis keeps its users in no file: they would be as before after a restart").
			WithRemedy("start it with a configuration file, or with aclfile")
	case has("Rewriting config file"), has("trying to save the ACLs"), has("Failed to save config"):
		return fault.Wrap(fault.ConfigInvalid, err, "Redis cannot write the file that it keeps its users in: they would be as before after a restart").
			WithRemedy("let Redis write the file and its directory, or have aclfile elsewhere; its log says what is in the way")
	}
	return Fault(err, doing)
}
