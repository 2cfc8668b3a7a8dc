package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The triggers that keep the change audit append-only are what the migrations created. Whoever owns the tables can drop,
// disable or replace them, which the chain does not show. So the text of the migrations is compared with the database.

// guardedTables are those whose triggers are compared, and which no other trigger may be on.
func guardedTables() []string { return []string{TableChangeAudit, "config_audit_anchors"} }

// trigger is what matters of one. Function is PostgreSQL's, and so is Enabled: A for always, O for sessions of origin.
type trigger struct {
	table    string
	when     string // such as "BEFORE UPDATE ROW", or SQLite's whole text
	enabled  string
	function string
}

// function is a trigger function of PostgreSQL: how it runs, and its text.
type function struct{ how, body string }

func (s *Store) compareGuards(ctx context.Context, q querier) ([]Difference, error) {
	dir, err := s.dialect.migrations()
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	text, err := migrationText(dir)
	if err != nil {
		return nil, err
	}
	return s.dialect.guards(ctx, q, text)
}

func migrationText(dir fs.FS) (string, error) {
	files, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return "", fmt.Errorf("list the embedded migrations: %w", err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return "", fmt.Errorf("read the embedded migrations: %w", err)
		}
		all.Write(text)
	}
	return all.String(), nil
}

// apply runs the statements of the migrations that create, drop or change something, in the order in which they stand.
func apply(text string, statements map[string]func(groups []string)) {
	type found struct {
		at     int
		groups []string
		do     func([]string)
	}
	var all []found
	for pattern, do := range statements {
		for _, at := range regexp.MustCompile(pattern).FindAllStringSubmatchIndex(text, -1) {
			f := found{at: at[0], do: do}
			for i := 0; i < len(at); i += 2 {
				f.groups = append(f.groups, text[at[i]:at[i+1]])
			}
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b found) int { return a.at - b.at })
	for _, f := range all {
		f.do(f.groups)
	}
}

const dropTrigger = `DROP TRIGGER (?:IF EXISTS )?(\w+)`

// sqliteGuards compares the texts of the triggers.
func sqliteGuards(ctx context.Context, q querier, text string) ([]Difference, error) {
	want := map[string]trigger{}
	apply(text, map[string]func([]string){
		`(?s)(CREATE TRIGGER (\w+) .*? ON (\w+)\b.*?\nEND);`: func(g []string) { want[g[2]] = trigger{table: g[3], when: g[1]} },
		dropTrigger: func(g []string) { delete(want, g[1]) },
	})
	have := map[string]trigger{}
	_, err := list(ctx, q, func(rows *sql.Rows, _ *struct{}) error {
		var name string
		var t trigger
		err := rows.Scan(&name, &t.table, &t.when)
		have[name] = t
		return err
	}, `SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'`)
	return triggerDifferences(want, have), err
}

// postgresGuards compares the triggers, whether they are enabled, their functions, and looks for rules, which act before triggers.
func postgresGuards(ctx context.Context, q querier, text string) ([]Difference, error) {
	want, functions := map[string]trigger{}, map[string]function{}
	apply(text, map[string]func([]string){
		`(?s)CREATE (?:OR REPLACE )?FUNCTION (\w+)\(\) RETURNS trigger LANGUAGE plpgsql(.*?)AS \$\$(.*?)\$\$`: func(g []string) { functions[g[1]] = function{howOf(g[2]), g[3]} },
		`(?s)CREATE TRIGGER (\w+) (.*?) ON (\w+)\s+FOR EACH (\w+) EXECUTE FUNCTION (\w+)\(\);`: func(g []string) {
			want[g[1]] = trigger{table: g[3], when: timing(g[2], g[4]), enabled: "O", function: g[5]}
		},
		dropTrigger: func(g []string) { delete(want, g[1]) },
		`ENABLE ALWAYS TRIGGER (\w+)`: func(g []string) {
			t := want[g[1]]
			t.enabled = "A"
			want[g[1]] = t
		},
	})
	have, present := map[string]trigger{}, map[string]function{}
	_, err := list(ctx, q, func(rows *sql.Rows, _ *struct{}) error {
		var name, args string
		var t trigger
		var kind int64
		var f function
		var definer bool
		var settings string
		if err := rows.Scan(&name, &t.table, &kind, &t.enabled, &args, &t.function, &f.body, &definer, &settings); err != nil {
			return err
		}
		t.when = timingOf(kind) + args
		if f.how = settings; definer {
			f.how = "SECURITY DEFINER " + settings
		}
		have[name], present[t.function] = t, f
		return nil
	}, `SELECT t.tgname, c.relname, t.tgtype::bigint, t.tgenabled::text,
			CASE WHEN t.tgqual IS NULL AND t.tgnargs = 0 AND t.tgattr::text = '' THEN '' ELSE ' with a condition' END, p.proname,
			CASE WHEN l.lanname = 'plpgsql' AND p.pronamespace = c.relnamespace THEN p.prosrc ELSE '' END, p.prosecdef, coalesce(array_to_string(p.proconfig, ' '), '')
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
		WHERE NOT t.tgisinternal AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'config_audit_log'::regclass)`)
	if err != nil {
		return nil, err
	}
	out := triggerDifferences(want, have)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t := want[name]
		if f, there := present[t.function]; there && have[name] == t && f != functions[t.function] {
			out = append(out, Difference{t.table, name, "function", "the function " + t.function + " is not the one that the migrations created"})
		}
	}
	_, err = list(ctx, q, func(rows *sql.Rows, _ *struct{}) error {
		var table, name string
		err := rows.Scan(&table, &name)
		out = append(out, Difference{table, name, "rule", "no migration created this rule"})
		return err
	}, `SELECT tablename, rulename FROM pg_rules WHERE schemaname = (SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid
			WHERE c.oid = 'config_audit_log'::regclass) AND tablename IN ('`+strings.Join(guardedTables(), "', '")+`') ORDER BY 1, 2`)
	return out, err
}

// howOf reads what stands between a function's language and its text.
func howOf(text string) (how string) {
	if path := regexp.MustCompile(`SET search_path = (.*?)\s*$`).FindStringSubmatch(text); path != nil {
		how = "search_path=" + path[1]
	}
	if strings.Contains(text, "SECURITY DEFINER") {
		how = "SECURITY DEFINER " + how
	}
	return how
}

// timing writes "BEFORE UPDATE OR DELETE" and ROW as timingOf does.
func timing(events, each string) string {
	out := []string{}
	for _, word := range [...]string{"BEFORE", "AFTER", "INSERT", "DELETE", "UPDATE", "TRUNCATE"} {
		if slices.Contains(strings.Fields(events), word) {
			out = append(out, word)
		}
	}
	return strings.Join(append(out, each), " ")
}

// timingOf reads the bits of pg_trigger.tgtype.
func timingOf(kind int64) string {
	out, each := []string{"AFTER"}, "STATEMENT"
	if kind&1 != 0 {
		each = "ROW"
	}
	if kind&2 != 0 {
		out[0] = "BEFORE"
	}
	for i, word := range [...]string{"INSERT", "DELETE", "UPDATE", "TRUNCATE"} {
		if kind&(4<<i) != 0 {
			out = append(out, word)
		}
	}
	return strings.Join(append(out, each), " ")
}

// triggerDifferences compares what there must be with what there is. On the guarded tables nothing else may be.
func triggerDifferences(want, have map[string]trigger) (out []Difference) {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		t, there := have[name]
		switch w := want[name]; {
		case !there:
			out = append(out, Difference{w.table, name, "trigger", "it is missing"})
		case t.enabled != w.enabled && t.enabled == "D":
			out = append(out, Difference{w.table, name, "trigger", "it is disabled"})
		case t != w:
			out = append(out, Difference{w.table, name, "trigger", "it is not the one that the migrations created"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, wanted := want[name]; !wanted && slices.Contains(guardedTables(), have[name].table) {
			out = append(out, Difference{have[name].table, name, "trigger", "no migration created it"})
		}
	}
	return out
}
