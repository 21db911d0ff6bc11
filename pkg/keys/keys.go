// Package keys names the etcd keys of Pointsman. It is the one place that knows their form; docs/architecture.md explains who
// writes which.
package keys

import (
	"net/netip"
	"strconv"
	"strings"
)

// Prefix is the root of everything that Pointsman stores.
const Prefix = "/pointsman/v1/"

// Ranges that are watched or listed.
const (
	Store       = Prefix + "store" // UUID of the store, created once
	Networks    = Prefix + "networks/"
	Allocations = Prefix + "allocations/"
	Switches    = Prefix + "inventory/switches/"
	Machines    = Prefix + "inventory/machines/"
	IPs         = Prefix + "ips/"
	ASNs        = Prefix + "pools/asn/"
	VNIs        = Prefix + "pools/vni/"
	Intents     = Prefix + "switches/"
	Requests    = Prefix + "requests/"
	Receipts    = Prefix + "receipts/"
	Discoveries = Prefix + "discovery/"
	Statuses    = Prefix + "status/"
	Changes     = Prefix + "changes/"
)

// Resources of the API.
func Network(project, id string) string    { return Networks + project + "/" + id }
func Allocation(project, id string) string { return Allocations + project + "/" + id }
func Switch(id string) string              { return Switches + id }
func Machine(id string) string             { return Machines + id }

// Held numbers: creation is the lock.
func NetworkIPs(network string) string             { return IPs + network + "/" }
func IP(network string, address netip.Addr) string { return IPs + network + "/" + address.String() }
func ASN(n uint32) string                          { return ASNs + strconv.FormatUint(uint64(n), 10) }
func VNI(n uint32) string                          { return VNIs + strconv.FormatUint(uint64(n), 10) }

// Intents, which the control plane writes and one agent reads.
func SwitchIntents(sw string) string     { return Intents + sw + "/" }
func SwitchConfig(sw string) string      { return Intents + sw + "/config" }
func PortIntents(sw string) string       { return Intents + sw + "/ports/" }
func PortIntent(sw, port string) string  { return Intents + sw + "/ports/" + port }
func VRFIntents(sw string) string        { return Intents + sw + "/vrfs/" }
func VRFIntent(sw, vrf string) string    { return Intents + sw + "/vrfs/" + vrf }
func Probes(sw string) string            { return Intents + sw + "/probes/" }
func Probe(sw, allocation string) string { return Intents + sw + "/probes/" + allocation }
func Receipt(allocation string) string   { return Receipts + allocation }
func Request(hash string) string         { return Requests + hash }
func Change(id string) string            { return Changes + id }

// Reports, which one agent writes.
func SwitchDiscoveries(sw string) string       { return Discoveries + sw + "/" }
func Discovery(sw, port string) string         { return Discoveries + sw + "/" + port }
func SwitchStatuses(sw string) string          { return Statuses + sw + "/" }
func Alive(sw string) string                   { return Statuses + sw + "/alive" }
func AgentStatus(sw string) string             { return Statuses + sw + "/agent" }
func PortStatus(sw, port string) string        { return Statuses + sw + "/ports/" + port }
func SessionStatus(sw, port string) string     { return Statuses + sw + "/sessions/" + port }
func ProbeStatus(sw, allocation string) string { return Statuses + sw + "/probes/" + allocation }

// Split returns the parts of key below root, or nil if it is not below it.
func Split(root, key string) []string {
	rest, ok := strings.CutPrefix(key, root)
	if !ok || rest == "" {
		return nil
	}
	return strings.Split(rest, "/")
}
