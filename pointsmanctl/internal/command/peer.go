package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// peerForm is how the peer of an external port is written behind its role.
const peerForm = "external:[PROJECT/]NETWORK:ASN[:MAXIMUM-PREFIX]"

// parsePeer reads what stands behind "external:".
func parsePeer(text string) (*apiv1.ExternalPeer, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, errors.New("write " + peerForm + ", such as external:internet:64496")
	}
	peer := &apiv1.ExternalPeer{Network: parts[0]}
	if project, network, ok := strings.Cut(parts[0], "/"); ok {
		peer.Project, peer.Network = project, network
	}
	for i, field := range []*uint32{&peer.Asn, &peer.MaximumPrefix}[:len(parts)-1] {
		n, err := strconv.ParseUint(parts[i+1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%q is no number; write %s", parts[i+1], peerForm)
		}
		*field = uint32(n)
	}
	return peer, nil
}
