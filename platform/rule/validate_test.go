package rule

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muttproject/mutt/platform/fault"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	r := Rule{MatchType: " ReGex ", MatchString: " a\tb ", TrapOID: ".1.3.6.1.4.1.9.*", ProdHandling: "PAGE_ONLY ", DevHandling: "nonsense",
		Source: "Syslog", TeamAssignment: " NET ", HostPattern: " core-* ", ValidFrom: "2026-11-23T10:00:00+02:00", Examples: &Examples{}}
	r.Normalize()
	want := Rule{Name: "regex  a b  and trap 1.3.6.1.4.1.9", MatchType: Regex, MatchString: " a\tb ", TrapOID: "1.3.6.1.4.1.9", ProdHandling: "Page_only",
		DevHandling: "nonsense", Source: "syslog", TeamAssignment: "NET", HostPattern: "core-*", ValidFrom: "2026-11-23T08:00:00Z"}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	again := r
	again.Normalize()
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("normalising twice differs: %s", diff)
	}
	only := Rule{TrapOID: "1.3.6"}
	if only.Normalize(); only.MatchType != Contains || only.Name != "trap 1.3.6" {
		t.Errorf("a rule with an OID only becomes %+v", only)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	n := func(v int) *int { return &v }
	for name, c := range map[string]struct {
		change func(*Rule)
		fields string // the fields that are at fault
		says   string
	}{
		"good":               {func(*Rule) {}, "", ""},
		"nothing to match":   {func(r *Rule) { r.MatchString = "" }, "match_string", "required"},
		"no handling":        {func(r *Rule) { r.ProdHandling, r.DevHandling = "", "" }, "prod_handling dev_handling", "Log_only"},
		"handling":           {func(r *Rule) { r.ProdHandling = "Page_onyl" }, "prod_handling", "did you mean Page_only?"},
		"team":               {func(r *Rule) { r.TeamAssignment = "" }, "team_assignment", "required"},
		"match type":         {func(r *Rule) { r.MatchType = "regexp" }, "match_type", "did you mean regex?"},
		"regex":              {func(r *Rule) { r.MatchType, r.MatchString = Regex, "a(" }, "match_string", "missing closing )"},
		"regex in a group":   {func(r *Rule) { r.MatchType, r.MatchString = Regex, "a)(b" }, "match_string", "unexpected )"},
		"lookahead":          {func(r *Rule) { r.MatchType, r.MatchString = Regex, "(?=a)" }, "match_string", "RE2"},
		"huge regex":         {func(r *Rule) { r.MatchType, r.MatchString = Regex, strings.Repeat("a{999}", 20) }, "match_string", "too large"},
		"long text":          {func(r *Rule) { r.MatchString = strings.Repeat("a", 4097) }, "match_string", "4097"},
		"NUL":                {func(r *Rule) { r.MatchString = "a\x00" }, "match_string", "NUL"},
		"no UTF-8":           {func(r *Rule) { r.Name = "\xff" }, "name", "UTF-8"},
		"two lines":          {func(r *Rule) { r.TeamAssignment = "a\nb" }, "team_assignment", "one line"},
		"OID":                {func(r *Rule) { r.TrapOID = "1.3.x" }, "trap_oid", "1.3.6.1.4.1.9"},
		"OID root":           {func(r *Rule) { r.TrapOID = "3.1" }, "trap_oid", "0, 1 or 2"},
		"OID second":         {func(r *Rule) { r.TrapOID = "1.40" }, "trap_oid", "39"},
		"OID empty arc":      {func(r *Rule) { r.TrapOID = "1..3" }, "trap_oid", "not an OID"},
		"OID leading zero":   {func(r *Rule) { r.TrapOID = "1.03" }, "trap_oid", "not an OID"},
		"OID arc too large":  {func(r *Rule) { r.TrapOID = "1.3.4294967296" }, "trap_oid", "not an OID"},
		"OID too long":       {func(r *Rule) { r.TrapOID = "1" + strings.Repeat(".1", 128) }, "trap_oid", "128"},
		"oid_prefix without": {func(r *Rule) { r.MatchType, r.MatchString = OIDPrefix, "" }, "match_string trap_oid", "oid_prefix"},
		"oid_prefix + text":  {func(r *Rule) { r.MatchType, r.TrapOID = OIDPrefix, "1.3" }, "match_string", "contains"},
		"oid_prefix":         {func(r *Rule) { r.MatchType, r.TrapOID, r.MatchString = OIDPrefix, "1.3", "" }, "", ""},
		"severity":           {func(r *Rule) { r.SyslogSeverity = n(8) }, "syslog_severity", "0 (emergency) to 7"},
		"severity range":     {func(r *Rule) { r.MinSeverity, r.MaxSeverity = n(5), n(2) }, "max_severity", "below"},
		"severity outside":   {func(r *Rule) { r.SyslogSeverity, r.MaxSeverity = n(5), n(2) }, "syslog_severity", "never"},
		"override":           {func(r *Rule) { r.SeverityOverride = n(6) }, "severity_override", "5 critical"},
		"CIDR":               {func(r *Rule) { r.HostPattern = "10.0.0.0/33" }, "host_pattern", "CIDR"},
		"host class":         {func(r *Rule) { r.HostPattern = "core-[12]" }, "host_pattern", "glob"},
		"source":             {func(r *Rule) { r.Source = "snmptrp" }, "source", "did you mean snmptrap?"},
		"time":               {func(r *Rule) { r.ValidFrom = "tomorrow" }, "valid_from", "RFC 3339"},
		"window":             {func(r *Rule) { r.ValidFrom, r.ValidUntil = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z" }, "valid_until", "not after"},
		"signature open":     {func(r *Rule) { r.Signature = "{{hostname" }, "signature", "}}"},
		"signature name":     {func(r *Rule) { r.Signature = "{{hostnam}}" }, "signature", "did you mean hostname?"},
		"signature group":    {func(r *Rule) { r.Signature = "{{iface}}" }, "signature", "named groups"},
		"signature OID":      {func(r *Rule) { r.Signature = "{{varbind.x}}" }, "signature", "not an OID"},
		"signature good":     {func(r *Rule) { r.Signature = "{{hostname}} {{varbind..1.3.6}} }} {" }, "", ""},
		"priority":           {func(r *Rule) { r.Priority = 1 << 40 }, "priority", "out of bounds"},
	} {
		r := complete(Rule{Name: "r", MatchString: "x"})
		c.change(&r)
		err := r.Validate()
		var fields []string
		for _, f := range Faults(err) {
			if fields = append(fields, f.Field); f.Code != fault.Unprocessable {
				t.Errorf("%s: code %s", name, f.Code)
			}
		}
		if got := strings.Join(fields, " "); got != c.fields || c.says != "" && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: faults in %q, want %q saying %q: %v", name, got, c.fields, c.says, err)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := Decode([]byte(`{"match_string":"x","syslog_severity":"Error","max_severity":"7","severity_override":"critical","id":7,
		"prod_handling":"page_only","dev_handling":"ignore","team_assignment":"T","reason":"why","examples":{"matches":["x"]},"min_severity":""}`), "reason")
	if err != nil {
		t.Fatal(err)
	}
	three, seven, five := 3, 7, 5
	want := Rule{Name: "contains x", MatchType: Contains, MatchString: "x", SyslogSeverity: &three, MaxSeverity: &seven, SeverityOverride: &five,
		Priority: 100, IsActive: true, ProdHandling: "Page_only", DevHandling: "Ignore", TeamAssignment: "T", Examples: &Examples{Matches: []string{"x"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for body, says := range map[string]string{
		`{"pririty":1}`:               "pririty: is not a field of a rule (did you mean priority?)",
		`{"Priority":1}`:              "did you mean priority?",
		`{"reason":"x"}`:              "reason: is not a field",
		`{"priority":"high"}`:         `priority: wants a whole number, got "high"`,
		`{"priority":1.5}`:            "wants a whole number",
		`{"is_active":"yes"}`:         "is_active: wants true or false",
		`{"match_string":5}`:          "match_string: wants a text, got 5",
		`{"syslog_severity":"loud"}`:  "syslog_severity: wants 0 to 7",
		`{"severity_override":"x"}`:   "indeterminate",
		`{"examples":{"match":[]}}`:   "examples: wants matches",
		`{"priority":1,"priority":2}`: "given twice",
		`[]`:                          "want a JSON object",
		`{"name":`:                    "ends too early",
		`{} {}`:                       "follows",
		``:                            "ends too early",
	} {
		if _, err := Decode([]byte(body)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", body, err, says)
		}
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	five := 5
	base := complete(Rule{ID: 7, Name: "r", MatchString: "x", Priority: 3, SyslogSeverity: &five, Revision: 9})
	got, err := Merge(base, []byte(`{"id":7,"revision":1,"priority":0,"syslog_severity":null,"is_active":false,"description":"d"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := base
	want.Priority, want.SyslogSeverity, want.IsActive, want.Description = 0, nil, false, "d"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if base.SyslogSeverity == nil || *base.SyslogSeverity != 5 {
		t.Error("the base was changed")
	}
	if got, _ = Merge(got, []byte(`{"priority":null,"is_active":null}`)); got.Priority != DefaultPriority || !got.IsActive {
		t.Errorf("null puts back the defaults: %+v", got)
	}
	if _, err := Merge(base, []byte(`{"id":8}`)); err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("another id: %v", err)
	}
}

func TestStoredJSON(t *testing.T) {
	t.Parallel()
	var r Rule
	if err := r.UnmarshalJSON([]byte(`{"id":4,"revision":5,"name":"n","match_string":"x","from_the_future":1}`)); err != nil {
		t.Fatal(err)
	}
	want := Rule{ID: 4, Revision: 5, Name: "n", MatchString: "x", MatchType: Contains, Priority: 100, IsActive: true}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

func TestFieldsCoverTheRule(t *testing.T) {
	t.Parallel()
	names := slices.Sorted(slices.Values(append(fieldNames(ruleFields()), identityFields()...)))
	if diff := cmp.Diff(slices.Sorted(slices.Values(jsonNames(Rule{}))), names); diff != "" {
		t.Errorf("fields of Rule and of its decoder differ: %s", diff)
	}
}

func TestHostPattern(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, host, ip string
		want              bool
	}{
		{"", "any", "", true}, {"Core-1", "cORE-1", "", true}, {"core-1", "core-11", "", false}, {"core-?", "core-11", "", false},
		{"*.lab", "x.LAB", "", true}, {"10.0.0.0/8", "x", "10.255.0.1", true}, {"10.0.0.0/8", "10.3.4.5", "", true},
		{"10.0.0.0/8", "x", "11.0.0.1", false}, {"10.7.7.7/8", "x", "10.1.1.1", true}, {"10.0.0.1", "x", "10.0.0.1", true},
		{"10.0.0.1", "x", "10.0.0.11", false}, {"10.0.0.0/8", "x", "::ffff:10.1.1.1", true}, {"::ffff:10.0.0.0/104", "x", "10.1.1.1", true},
		{"fe80::/10", "x", "fe80::1%eth0", true}, {"2001:db8::/32", "2001:DB8::5", "", true}, {"0.0.0.0/0", "no-address", "1.2.3", false},
		{"K-1", "\u212a-1", "", false}, {"KÖLN-*", "kÖln-1", "", true}, {"KÖLN-*", "köln-1", "", false},
	} {
		p, err := parseHostPattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		e := eventOf("")
		e.Hostname, e.SourceIP = c.host, c.ip
		sc := &Scratch{}
		sc.begin(&Set{}, &e, 0)
		if got := p.holds(sc); got != c.want {
			t.Errorf("%q on host %q, address %q: %v", c.pattern, c.host, c.ip, got)
		}
	}
}
