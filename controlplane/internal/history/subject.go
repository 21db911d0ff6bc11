package history

import (
	"slices"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Subject is what changes are asked for; the zero one is everything.
type Subject struct {
	// key is the resource's own, or the beginning of the keys of all that is in it.
	key string
	// within is a root of keys that belong to the resource too.
	within string
	// holds says whether an allocation holds the resource.
	holds func(netmodel.Allocation) bool
	// port is a port of the switch at key: of the switch's own changes only those that concern it count.
	port string
	// told is the key of what a switch is told of the resource.
	told string
}

// About is the subject that a resource is, named as in the API: KIND/NAME, in a project if its kind has one.
func About(resource, project string) Subject {
	parts := strings.Split(resource, "/")
	switch {
	case len(parts) < 2:
		return Subject{}
	case parts[0] == "machines":
		return Subject{key: keys.Machine(parts[1]), holds: func(a netmodel.Allocation) bool { return a.Machine == parts[1] }}
	case parts[0] == "switches" && len(parts) == 4:
		return Subject{key: keys.Switch(parts[1]), port: parts[3], told: keys.PortIntent(parts[1], parts[3]), holds: func(a netmodel.Allocation) bool {
			return slices.ContainsFunc(a.Ports, func(p netmodel.AllocationPort) bool { return p.Switch == parts[1] && p.Port == parts[3] })
		}}
	case parts[0] == "switches":
		return Subject{key: keys.Switch(parts[1]), told: keys.SwitchConfig(parts[1]), holds: func(a netmodel.Allocation) bool {
			return slices.ContainsFunc(a.Ports, func(p netmodel.AllocationPort) bool { return p.Switch == parts[1] })
		}}
	case parts[0] == "networks":
		return Subject{key: keys.Network(project, parts[1]), within: keys.NetworkIPs(parts[1]), holds: func(a netmodel.Allocation) bool {
			return slices.ContainsFunc(a.Attachments, func(t netmodel.Attachment) bool { return t.Network == parts[1] })
		}}
	case parts[0] == "ips":
		return Subject{key: keys.NetworkIPs(parts[1]) + strings.Join(parts[2:], "/")}
	default:
		return Subject{key: keys.Allocation(project, parts[1])}
	}
}

// concerns tells whether a change is about the subject.
func (s Subject) concerns(c *apiv1.Change) bool {
	return s.key == "" || slices.ContainsFunc(c.GetObjects(), s.touches)
}

func (s Subject) touches(o *apiv1.ChangedObject) bool {
	switch key := o.GetKey(); {
	case key == s.key:
		return s.port == "" || s.cabling(o.GetBefore()) != s.cabling(o.GetAfter())
	case s.told != "" && key == s.told:
		return true
	case s.within != "" && strings.HasPrefix(key, s.within):
		return true
	case s.holds != nil && strings.HasPrefix(key, keys.Allocations):
		return s.held(o.GetBefore()) || s.held(o.GetAfter())
	default:
		return false
	}
}

// held tells whether an allocation, as it was stored, holds the subject.
func (s Subject) held(raw string) bool {
	if raw == "" {
		return false
	}
	a, err := wire.AllocationCodec.Decode([]byte(raw))
	return err == nil && s.holds(a)
}

// cabling is what a port was cabled for in a switch as it was stored; zero if it was not there.
func (s Subject) cabling(raw string) netmodel.SwitchPort {
	if raw == "" {
		return netmodel.SwitchPort{}
	}
	sw, err := wire.SwitchCodec.Decode([]byte(raw))
	if err != nil {
		return netmodel.SwitchPort{}
	}
	for _, p := range sw.Ports {
		if p.Name == s.port {
			return p
		}
	}
	return netmodel.SwitchPort{}
}
