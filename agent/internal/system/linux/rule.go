package linux

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// Preferences of the rules. The kernel puts the l3mdev rule at 1000 when the first VRF is made, and the local rule at 0.
const (
	preferLocalFirst = 0
	preferL3mdev     = 1000
	preferLocalLast  = 32765
)

func (s *socket) rules() (plan.Rules, error) {
	var out plan.Rules
	for family, rules := range map[plan.Family]*plan.FamilyRules{plan.IPv4: &out.IPv4, plan.IPv6: &out.IPv6} {
		// A rule's header has the layout of a route's (struct fib_rule_hdr).
		messages, err := s.dump(unix.RTM_GETRULE, unix.RTM_NEWRULE, ruleMessage(family))
		if err != nil {
			return plan.Rules{}, fmt.Errorf("list %s rules: %w", family, err)
		}
		for _, m := range messages {
			noteRule(m, rules)
		}
	}
	return out, nil
}

func ruleMessage(family plan.Family) *nl.RtMsg {
	return &nl.RtMsg{RtMsg: unix.RtMsg{Family: uint8(familyNumbers[family])}}
}

// noteRule marks a rule as present if it is one of those that matter: for all packets, to the table in question.
func noteRule(m []byte, rules *plan.FamilyRules) {
	msg := nl.DeserializeRtMsg(m)
	a, err := parseAttributes(m[msg.Len():])
	if err != nil || msg.Type != nl.FR_ACT_TO_TBL || msg.Src_len != 0 || msg.Dst_len != 0 || narrows(a) {
		return
	}
	table, preference := a.uint32(nl.FRA_TABLE), a.uint32(nl.FRA_PRIORITY)
	switch {
	case a.uint8(nl.FRA_L3MDEV) == 1 && preference == preferL3mdev:
		rules.L3mdev = true
	case table == unix.RT_TABLE_LOCAL && preference == preferLocalFirst:
		rules.LocalFirst = true
	case table == unix.RT_TABLE_LOCAL && preference == preferLocalLast:
		rules.LocalLast = true
	}
}

// narrows reports whether a rule is for some packets only.
func narrows(a attributes) bool {
	for _, selector := range []uint16{nl.FRA_IIFNAME, nl.FRA_OIFNAME, nl.FRA_FWMARK, nl.FRA_IP_PROTO, nl.FRA_SPORT_RANGE, nl.FRA_DPORT_RANGE, nl.FRA_UID_RANGE} {
		if _, ok := a[selector]; ok {
			return true
		}
	}
	return false
}

func (s *socket) addRule(family plan.Family, rule plan.Rule) error {
	err := s.changeRule(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, family, rule)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func (s *socket) deleteRule(family plan.Family, rule plan.Rule) error {
	err := s.changeRule(unix.RTM_DELRULE, 0, family, rule)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func (s *socket) changeRule(kind uint16, flags int, family plan.Family, rule plan.Rule) error {
	msg := ruleMessage(family)
	msg.Type = nl.FR_ACT_TO_TBL
	parts := []nl.NetlinkRequestData{msg}
	add := func(kind int, value []byte) { parts = append(parts, nl.NewRtAttr(kind, value)) }
	switch rule {
	case plan.L3mdevRule:
		add(nl.FRA_PRIORITY, nl.Uint32Attr(preferL3mdev))
		add(nl.FRA_L3MDEV, nl.Uint8Attr(1))
	case plan.LocalFirstRule:
		msg.Table = unix.RT_TABLE_LOCAL
		add(nl.FRA_PRIORITY, nl.Uint32Attr(preferLocalFirst))
	case plan.LocalLastRule:
		msg.Table = unix.RT_TABLE_LOCAL
		add(nl.FRA_PRIORITY, nl.Uint32Attr(preferLocalLast))
	default:
		return fmt.Errorf("unknown rule %q", rule)
	}
	if kind == unix.RTM_NEWRULE {
		add(nl.FRA_PROTOCOL, nl.Uint8Attr(markOf(rule)))
	}
	return s.request(kind, flags, parts...)
}

// markOf is our protocol number. The l3mdev rule must look as the kernel's own, or the kernel adds a second one with the first VRF.
func markOf(rule plan.Rule) uint8 {
	if rule == plan.L3mdevRule {
		return unix.RTPROT_KERNEL
	}
	return protocol
}
