package lldp

import (
	"maps"
	"net"
	"slices"
)

// Tried is a port that a socket was opened on.
type Tried struct {
	Port string
	Err  error
}

// Try opens and closes a socket on every port for which want holds, sorted by name. It hears and sends nothing.
func Try(want func(string) bool) ([]Tried, error) {
	ports, err := list(want)
	if err != nil {
		return nil, err
	}
	var out []Tried
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		conn, err := listen(&net.Interface{Index: ports[name].Index, Name: name})
		if err == nil {
			err = conn.Close()
		}
		out = append(out, Tried{name, err})
	}
	return out, nil
}
