package vswitchd

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"weir/internal/tunnel/route"
	"weir/internal/unixctl"
)

// shownRules is the answer of ovs/route/rule/show.
type shownRules []route.Rule

// String is a line a rule, as ip-rule(8) has it after who made it.
func (s shownRules) String() string {
	var b strings.Builder
	for i := range s {
		r := &s[i]
		kind, not, from := "Cached", "", "all"
		if r.User {
			kind = "User"
		}
		if r.Not {
			not = "not "
		}
		if r.From.IsValid() {
			from = r.From.String()
			if r.From.IsSingleIP() {
				from = r.From.Addr().String()
			}
		}
		fmt.Fprintf(&b, "%s: %d: %sfrom %s lookup %s\n", kind, r.Priority, not, from, tableName(r.Table))
	}
	return b.String()
}

// shownRule is a rule in JSON, with the names of ip-rule(8)'s.
type shownRule struct {
	Priority uint32 `json:"priority"`
	Not      bool   `json:"not"`
	Src      string `json:"src"`
	SrcLen   *int   `json:"srclen,omitempty"`
	Table    string `json:"table"`
	User     bool   `json:"user"`
}

// Document is the rules as an array.
func (s shownRules) Document() any {
	out := []shownRule{}
	for i := range s {
		r := &s[i]
		d := shownRule{Priority: r.Priority, Not: r.Not, Src: "all", Table: tableName(r.Table), User: r.User}
		if r.From.IsValid() {
			bits := r.From.Bits()
			d.Src, d.SrcLen = r.From.Addr().String(), &bits
		}
		out = append(out, d)
	}
	return out
}

func (c routeCommands) ruleShow(r *unixctl.Request) (string, error) {
	return r.Answer(shownRules(c.table.Rules()))
}

// parseRule reads what ovs/route/rule/add and del are given. It reports whether a
// priority was.
func parseRule(args []string) (r route.Rule, hasPriority bool, err error) {
	if args[0] == "not" {
		r.Not, args = true, args[1:]
	}
	hasFrom, hasTable := false, false
	for _, w := range args {
		name, value, _ := strings.Cut(w, "=")
		ok := false
		switch name {
		case "from":
			if hasFrom, ok = true, value == "all"; !ok {
				r.From, ok = parseRoutePrefix(value)
				r.From = r.From.Masked()
			}
		case "prio":
			var n uint64
			n, err = strconv.ParseUint(value, 0, 32)
			r.Priority, hasPriority, ok = uint32(n), true, err == nil
		case "table":
			hasTable = true
			r.Table, ok = parseTable(value)
		}
		if !ok {
			return r, false, fmt.Errorf("%s: not from=all|IP/PLEN, prio=NUM or table=local|main|default|ID", w)
		}
	}
	switch {
	case !hasFrom:
		return r, false, errors.New("from=all|IP/PLEN is missing")
	case !hasTable:
		return r, false, errors.New("table=local|main|default|ID is missing")
	case r.Not && r.From == netip.Prefix{}:
		return r, false, errors.New("not from=all would select nothing: give a prefix")
	}
	return r, hasPriority, nil
}

func (c routeCommands) ruleAdd(r *unixctl.Request) (string, error) {
	rule, hasPriority, err := parseRule(r.Args)
	if err != nil {
		return "", err
	}
	if err := c.table.AddRule(rule, !hasPriority); err != nil {
		return "", err
	}
	return "OK", nil
}

func (c routeCommands) ruleDel(r *unixctl.Request) (string, error) {
	rule, hasPriority, err := parseRule(r.Args)
	if err != nil {
		return "", err
	}
	if err := c.table.DeleteRule(rule, !hasPriority); err != nil {
		return "", err
	}
	return "OK", nil
}
