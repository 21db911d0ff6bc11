package plan

import "fmt"

// Rule is one of the policy rules that matter to VRFs.
type Rule string

// Rules by what they do.
const (
	L3mdevRule     Rule = "1000 l3mdev"
	LocalFirstRule Rule = "0 local"
	LocalLastRule  Rule = "32765 local"
)

// AddRule adds a policy rule.
type AddRule struct {
	Family Family
	Rule   Rule
	For
}

func (o AddRule) String() string { return fmt.Sprintf("add %s rule %s", o.Family, o.Rule) }

func (o AddRule) links() (needs, marks []Thing) { return nil, []Thing{o.thing()} }

func (o AddRule) thing() Thing { return Thing(string(o.Family) + " rule " + string(o.Rule)) }

// DeleteRule deletes a policy rule.
type DeleteRule struct {
	Family Family
	Rule   Rule
	For
}

func (o DeleteRule) String() string { return fmt.Sprintf("delete %s rule %s", o.Family, o.Rule) }

// links keeps the local rule in front until it is behind: without either, the switch would not know its own addresses.
func (o DeleteRule) links() (needs, marks []Thing) {
	return []Thing{AddRule{Family: o.Family, Rule: LocalLastRule}.thing()}, nil
}

func (b *build) desireRules() {
	behind := FamilyRules{L3mdev: true, LocalLast: true}
	b.kernel.Rules = Rules{IPv4: behind, IPv6: behind}
}

func (d *difference) rules() {
	if !d.knows(PartRules) {
		return
	}
	for _, family := range []Family{IPv4, IPv6} {
		have, want := d.have.Rules.Of(family), d.want.Rules.Of(family)
		if want.L3mdev && !have.L3mdev {
			d.add(AddRule{Family: family, Rule: L3mdevRule})
		}
		if want.LocalLast && !have.LocalLast {
			d.add(AddRule{Family: family, Rule: LocalLastRule})
		}
		if have.LocalFirst && !want.LocalFirst {
			d.add(DeleteRule{Family: family, Rule: LocalFirstRule})
		}
	}
}
