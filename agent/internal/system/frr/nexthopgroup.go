package frr

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NexthopGroups are the groups of next hops that zebra takes for installed in the kernel, and of each the members that it takes for
// installed too. Members that are groups themselves are left out: zebra resolves them before it tells the kernel.
func (c *Client) NexthopGroups(ctx context.Context) (map[uint32][]uint32, error) {
	text, err := c.show(ctx, zebra, "show nexthop-group rib")
	if err != nil {
		return nil, err
	}
	return parseNexthopGroups(text), nil
}

var (
	nexthopID     = regexp.MustCompile(`^ID: (\d+)\b`)
	nexthopMember = regexp.MustCompile(`\((\d+)\)`)
)

// parseNexthopGroups reads the answer as text: FRR has it in JSON only since releases that keep their groups whole.
func parseNexthopGroups(text string) map[uint32][]uint32 {
	installed, members := map[uint32]bool{}, map[uint32][]uint32{}
	var id uint32
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch m := nexthopID.FindStringSubmatch(line); {
		case m != nil:
			id = nexthopNumber(m[1])
		case id == 0:
		case strings.HasPrefix(trimmed, "Valid"):
			installed[id] = slices.Contains(strings.Split(trimmed, ", "), "Installed")
		case strings.HasPrefix(trimmed, "Depends:"):
			for _, m := range nexthopMember.FindAllStringSubmatch(trimmed, -1) {
				members[id] = append(members[id], nexthopNumber(m[1]))
			}
		}
	}
	out := map[uint32][]uint32{}
	for id, all := range members {
		all = slices.DeleteFunc(slices.Clone(all), func(m uint32) bool { return !installed[m] || len(members[m]) > 0 })
		if installed[id] && len(all) > 0 {
			out[id] = all
		}
	}
	return out
}

// nexthopNumber is 0, which no next hop has, for what is no number.
func nexthopNumber(digits string) uint32 {
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
