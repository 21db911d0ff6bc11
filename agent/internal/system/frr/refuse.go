package frr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pointsman/pointsman/pkg/frr"
)

// mgmtd asks the daemons behind it about a change, its back ends, and aborts (10.3) if one of them refuses before another has answered
// (FRR issue 19359), whether the change came alone or in a batch. So it must not be sent what a back end would refuse, and that is refused
// here, by what the back ends know at the time.
//
// VRFs and interfaces go to zebra and staticd. Of what our templates write there, they refuse two things (zebra/zebra_nb_config.c,
// lib/vrf.c and lib/if.c of 10.3, what returns NB_ERR_VALIDATION):
//
//   - `no vrf X`, each of them, while it has the device of X, of which staticd hears from zebra;
//   - `vni N`, zebra, in a VRF while another VRF has N.
//
// They take the lines of router advertisements as they are: `ra-lifetime` that is shorter than `ra-interval` is against the YANG model, by
// which mgmtd itself refuses it before it asks anybody. `interface X` would be refused with a name of more than 16 bytes, which no port has,
// and `no interface` is not sent. Filters are bgpd's, which is no back end; mgmtd is sent `no` of copies that it holds of them at most, and
// that nobody refuses. Static routes, `ip nht`, `ip protocol` and the rest are the platform's and not sent at all.
//
// What remains: templates of an operator's own may write more in the context of a VRF (a static route, a range of tables) or of a port (an
// ESI, a DNS suffix), and mgmtd may abort if zebra or staticd refuses that. So it may if ripd or ripngd, which are back ends too, run and
// have not heard that a VRF is gone.

// refuse refuses changes in the place of mgmtd's back ends, and returns those that are left to send, with their places. Changes are looked
// at in order, as if those before were carried out: a batch that mgmtd rejects is sent again one by one.
func (c *Client) refuse(ctx context.Context, changes []frr.Change, errs []error) (left []frr.Change, places []int) {
	r := refuser{c: c}
	for i, change := range changes {
		if err := r.look(ctx, change); err != nil {
			errs[i] = err
			continue
		}
		left, places = append(left, change), append(places, i)
	}
	return left, places
}

// refuser asks the back ends when it needs to, once each.
type refuser struct {
	c      *Client
	active map[string]bool // VRFs whose devices zebra has
	vnis   map[string]int  // VNI by VRF
	gave   []string        // VRFs that gave away their VNIs before zebra was asked
}

// look returns why a change must not be sent, or nil, and keeps account of it.
func (r *refuser) look(ctx context.Context, change frr.Change) error {
	if vrf, ok := deletedVRF(change); ok {
		if err := r.deletes(ctx, change, vrf); err != nil {
			return err
		}
		r.without(vrf)
		return nil
	}
	if vrf, vni, ok := addsVNI(change); ok {
		return r.adds(ctx, change, vrf, vni)
	}
	if vrf, ok := removesVNI(change); ok {
		r.without(vrf)
	}
	return nil
}

// deletes looks at the deletion of a VRF.
func (r *refuser) deletes(ctx context.Context, change frr.Change, vrf string) error {
	if r.active == nil {
		text, err := r.c.show(ctx, zebra, "show vrf")
		if err != nil {
			return fmt.Errorf("ask zebra whether the device of VRF %q is gone: %w", vrf, err)
		}
		r.active = activeVRFs(text)
	}
	if r.active[vrf] {
		return instead(change, "zebra has not heard that the device is gone")
	}
	there, err := r.c.staticdHas(ctx, vrf)
	if err != nil {
		return fmt.Errorf("ask staticd whether the device of VRF %q is gone: %w", vrf, err)
	}
	if there {
		return instead(change, "staticd has not heard that the device is gone")
	}
	return nil
}

// staticdHas reports whether staticd has the device of a VRF. A staticd that is away is not asked by mgmtd either.
func (c *Client) staticdHas(ctx context.Context, vrf string) (bool, error) {
	text, err := c.show(ctx, staticd, fmt.Sprintf("show yang operational-data /frr-vrf:lib/vrf[name='%s']/state", vrf))
	if refusal := new(RefusedError); errors.As(err, &refusal) && refusal.Answer == "{}" || absent(err) {
		return false, nil // it does not know the VRF
	}
	if err != nil {
		return false, err
	}
	id, err := idOfVRF(text)
	return id != noVRF, err
}

// adds looks at a VRF's VNI.
func (r *refuser) adds(ctx context.Context, change frr.Change, vrf string, vni int) error {
	if err := r.ask(ctx); err != nil {
		return err
	}
	for _, other := range slices.Sorted(maps.Keys(r.vnis)) {
		if other != vrf && r.vnis[other] == vni {
			return instead(change, fmt.Sprintf("VRF %s has VNI %d", other, vni))
		}
	}
	r.vnis[vrf] = vni
	return nil
}

// ask asks zebra which VRF has which VNI.
func (r *refuser) ask(ctx context.Context) error {
	if r.vnis != nil {
		return nil
	}
	text, err := r.c.show(ctx, zebra, "show vrf vni json")
	if err != nil {
		return fmt.Errorf("ask zebra which VRF has which VNI: %w", err)
	}
	r.vnis, err = parseVNIs(text)
	for _, vrf := range r.gave {
		delete(r.vnis, vrf)
	}
	return err
}

// without notes that a VRF gives away its VNI, if it has one.
func (r *refuser) without(vrf string) {
	if r.vnis == nil {
		r.gave = append(r.gave, vrf)
	} else {
		delete(r.vnis, vrf)
	}
}

// instead is a refusal that no daemon has spoken.
func instead(change frr.Change, why string) error {
	return &RefusedError{Line: change.Line, Answer: why, Status: statusWarning}
}

// activeVRFs are the VRFs whose devices zebra has, by name.
func activeVRFs(text string) map[string]bool {
	out := map[string]bool{}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "vrf" && words[2] == "id" {
			out[words[1]] = true
		}
	}
	return out
}

// noVRF is the id of a VRF without a device.
const noVRF = 1<<32 - 1

// idOfVRF reads a VRF's id in a daemon's YANG model: of one that the daemon does not know, there is none.
func idOfVRF(text string) (int, error) {
	var data struct {
		Lib struct {
			VRFs []struct {
				State struct {
					ID *int `json:"id"`
				} `json:"state"`
			} `json:"vrf"`
		} `json:"frr-vrf:lib"`
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		return 0, fmt.Errorf("parse id of VRF: %w", err)
	}
	if len(data.Lib.VRFs) == 0 || data.Lib.VRFs[0].State.ID == nil {
		return noVRF, nil
	}
	return *data.Lib.VRFs[0].State.ID, nil
}

// parseVNIs reads the VNI of each VRF that has one.
func parseVNIs(text string) (map[string]int, error) {
	var answer struct {
		VRFs []struct {
			VRF string `json:"vrf"`
			VNI int    `json:"vni"`
		} `json:"vrfs"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		return nil, fmt.Errorf("parse VNIs of VRFs: %w", err)
	}
	out := map[string]int{}
	for _, v := range answer.VRFs {
		out[v.VRF] = v.VNI
	}
	return out, nil
}

// deletedVRF reads a change such as "no vrf Vrf104001".
func deletedVRF(change frr.Change) (name string, ok bool) {
	name, ok = strings.CutPrefix(change.Line, "no vrf ")
	return name, ok && len(change.Context) == 0
}

// addsVNI reads a change such as "vrf Vrf104001 / vni 104001".
func addsVNI(change frr.Change) (vrf string, vni int, ok bool) {
	vrf, words := vniLine(change)
	if len(words) < 2 || words[0] != "vni" {
		return "", 0, false
	}
	vni, err := strconv.Atoi(words[1])
	return vrf, vni, err == nil
}

// removesVNI reads a change such as "vrf Vrf104001 / no vni 104001": the VRF has none then, whatever the number.
func removesVNI(change frr.Change) (vrf string, ok bool) {
	vrf, words := vniLine(change)
	return vrf, len(words) > 1 && words[0] == "no" && words[1] == "vni"
}

// vniLine takes a line in the context of a VRF apart.
func vniLine(change frr.Change) (vrf string, words []string) {
	if len(change.Context) != 1 {
		return "", nil
	}
	vrf, ok := strings.CutPrefix(change.Context[0], "vrf ")
	if !ok {
		return "", nil
	}
	return vrf, strings.Fields(change.Line)
}
