package sonic

import (
	"fmt"
	"net"

	"github.com/pointsman/pointsman/agent/internal/plan"
)

// portFacts adds what the row knows to what the kernel knows of a port. The row's speed is in Mbit/s, and known without a link.
func portFacts(p plan.PortFacts, row Row) plan.PortFacts {
	if n := row.number("speed"); n != 0 {
		p.Speed = int(n)
	}
	return p
}

// parseMAC reads an Ethernet address. Without one in the metadata, SONiC's bridge has none that stays, and neither have tenants.
func parseMAC(text string) (plan.MAC, error) {
	var out plan.MAC
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != len(out) {
		return out, fmt.Errorf("%q is no Ethernet address", text)
	}
	copy(out[:], mac)
	return out, nil
}
