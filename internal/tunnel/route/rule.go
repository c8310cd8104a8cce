package route

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
)

// Family is which destinations a rule is for. A host has rules of each family;
// users' are for both.
type Family uint8

// Families.
const (
	BothFamilies Family = iota
	IPv4
	IPv6
)

// Rule sends lookups whose source address is in From (all, if it is invalid), or
// with Not is elsewhere, on to a table. Rules are tried by priority, the lowest
// number first, until a table has a route (ip-rule(8)).
type Rule struct {
	Priority uint32
	From     netip.Prefix
	Not      bool
	Table    uint32
	Family   Family
	User     bool
}

// Errors of changes of rules.
var (
	ErrNoRule     = errors.New("no such rule of a user")
	ErrRuleExists = errors.New("the rule is there already")
)

// standardRules are those of a host that nobody has touched.
func standardRules() []Rule {
	return []Rule{
		{Priority: 0, Table: TableLocal},
		{Priority: 32766, Table: TableMain},
		{Priority: 32767, Table: TableDefault},
	}
}

// selects reports whether the rule counts for a lookup from src to dst. A lookup
// without a source address is one from the unspecified address, which only a rule
// for all addresses, or one for all but some, selects.
func (r *Rule) selects(dst, src netip.Addr) bool {
	if r.Family == IPv4 && !dst.Is4() || r.Family == IPv6 && !dst.Is6() {
		return false
	}
	if !r.From.IsValid() {
		return !r.Not
	}
	return r.From.Contains(src) != r.Not
}

// same reports whether a rule does what another does, whatever its priority.
func (r *Rule) same(o *Rule) bool {
	return r.From == o.From && r.Not == o.Not && r.Table == o.Table
}

// compareRules is the order in which rules are tried.
func compareRules(a, b Rule) int { return cmp.Compare(a.Priority, b.Priority) }

// AddRule adds a user's rule. With auto it gets the lowest priority number that no
// rule has.
func (t *Table) AddRule(r Rule, auto bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.User = true
	if auto {
		r.Priority = t.unusedPriority()
	}
	for i := range t.userRules {
		if t.userRules[i].same(&r) && t.userRules[i].Priority == r.Priority {
			return ErrRuleExists
		}
	}
	t.userRules = append(t.userRules, r)
	t.publish()
	return nil
}

func (t *Table) unusedPriority() (p uint32) {
	for _, r := range t.rules() {
		if r.Priority > p {
			break
		}
		p = r.Priority + 1
	}
	return p
}

// DeleteRule deletes the first user's rule that is as r says, of any priority
// where anyPriority is set.
func (t *Table) DeleteRule(r Rule, anyPriority bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := -1
	for i := range t.userRules {
		u := &t.userRules[i]
		if u.same(&r) && (anyPriority || u.Priority == r.Priority) && (first < 0 || u.Priority < t.userRules[first].Priority) {
			first = i
		}
	}
	if first < 0 {
		return ErrNoRule
	}
	t.userRules = slices.Delete(t.userRules, first, first+1)
	t.publish()
	return nil
}

// rules are the host's and the users', in the order in which they are tried.
func (t *Table) rules() []Rule {
	all := slices.Concat(t.userRules, t.system.Rules)
	slices.SortStableFunc(all, compareRules)
	return all
}

// Rules lists all rules in the order in which they are tried.
func (t *Table) Rules() []Rule { return slices.Clone(t.now.Load().rules) }

// mergeFamilies makes one rule of two of a host that differ in the family alone.
func mergeFamilies(rules []Rule) (merged []Rule) {
	for _, r := range rules {
		i := slices.IndexFunc(merged, func(m Rule) bool {
			return m.Priority == r.Priority && m.same(&r) && m.Family != r.Family && m.Family != BothFamilies
		})
		if i >= 0 {
			merged[i].Family = BothFamilies
			continue
		}
		merged = append(merged, r)
	}
	return merged
}
